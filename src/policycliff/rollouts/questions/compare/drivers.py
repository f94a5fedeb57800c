"""The prompts that contribute most to a change, with snippets of their texts."""

from typing import Any

import numpy as np

from policycliff.rollouts.scores import Scored
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

SNIPPET = 120


def order_of(contribution: Float64[np.ndarray, " prompts"], *, limit: int, seed: int) -> list[int]:
    """The prompts that contribute, the most first; equal ones in random order, not in that of the file."""
    chance = np.random.default_rng(seed).permutation(len(contribution))
    order = np.lexsort((chance, -contribution))
    return [int(prompt) for prompt in order[:limit] if contribution[prompt] > 0]


def carried(contribution: Float64[np.ndarray, " prompts"], share: float) -> int:
    """Least number of prompts that carry this share of the whole; 0 of nothing.

    >>> carried(np.array([1.0, 5.0, 2.0]), 0.5)
    1
    """
    total = contribution.sum()
    if not total > 0:
        return 0
    return int(np.searchsorted(np.cumsum(np.sort(contribution)[::-1]), share * total * (1 - 1e-12)) + 1)


def choice_of(table: RolloutTable, scored: Scored, prompt: int) -> tuple[int, str | None]:
    """The most drawn best behaviour of a prompt (the first among equals), and a snippet of its text."""
    low, high = scored.layout.behaviour_offsets[prompt : prompt + 2]
    best = np.arange(low, high)[scored.best[low:high]]
    chosen = int(best[np.argmax(scored.layout.draws[best])])
    row = int(scored.layout.rows[scored.layout.draw_offsets[chosen]])
    return chosen, snippet(table, "__completion", row) or snippet(table, "__behaviour", row)


def prompt_names(table: RolloutTable, scored: Scored, prompt: int) -> dict[str, Any]:
    """The prompt's name, and a snippet of its text where the name is not its beginning already."""
    row = int(scored.layout.rows[scored.layout.row_offsets[prompt]])
    return {"prompt": str(table.frame["__prompt_id"][row]), "prompt_text": snippet(table, "__prompt", row)}


def snippet(table: RolloutTable, column: str, row: int) -> str | None:
    """The beginning of a text on one line; None where there is none."""
    text = table.frame[column][row] if column in table.frame.columns else None
    if text is None:
        return None
    line = " ".join(str(text)[: 8 * SNIPPET].split())
    return line if len(line) <= SNIPPET else f"{line[: SNIPPET - 1]}…"
