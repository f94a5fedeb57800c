"""Which columns of a wide table belong to which completion, by their names, and which to the row."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from policycliff.rollouts.formats.shared.rewards import SCORE_NAME, Weights, weights_note
from policycliff.rollouts.formats.shared.tables import Schema, as_text, original, visible
from policycliff.rollouts.reading.columns import PROMPT_NAMES, is_numeric

_STEMS = ("completion", "response", "answer", "output", "generation")
_BETWEEN = re.compile(r"[_\-./: ]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of each completion; a label is what tells a completion's column from another's (`a`, `gpt`).

    Attributes:
        completions: Label to the column with the text.
        values: What completions have beside: name without the label, then label to column.
        scores: The names in `values` that are scores.
    """

    completions: dict[str, str]
    values: dict[str, dict[str, str]]
    scores: tuple[str, ...]

    def columns(self) -> tuple[str, ...]:
        """Every column that belongs to a completion."""
        return (*self.completions.values(), *(name for columns in self.values.values() for name in columns.values()))


def layout_of(names: tuple[str, ...]) -> Layout | None:
    """The layout, None where no two completions have a score.

    >>> layout_of(("prompt", "response_a", "response_b", "score_a", "score_b")).scores
    ('score',)
    >>> layout_of(("gpt_answer", "llama_answer", "gpt_reward", "llama_reward")).completions
    {'gpt': 'gpt_answer', 'llama': 'llama_answer'}
    >>> layout_of(("response", "response_length", "score", "score_mean"))
    """
    for stem in _STEMS:
        for last in (False, True):
            completions = _completions(names, stem, last=last)
            layout = _with_values(names, completions, stem)
            if layout is not None:
                return layout
    return None


def kept_columns(schema: Schema) -> dict[str, pl.Expr]:
    """The columns of the row that every completion keeps: its prompt and its training step."""
    prompt = next((name for name in PROMPT_NAMES if name in schema), None)
    kept = {} if prompt is None else {"prompt": as_text(original(prompt, schema), schema[prompt])}
    return kept | ({"step": pl.col("step")} if "step" in schema and is_numeric(schema["step"]) else {})


def wide_notes(schema: Schema, used: Iterable[str], rewards: Weights) -> tuple[str, ...]:
    """What was decided: which reward counts, and what was left out."""
    found = ["each row of the file is a group: its completions compete with each other and with no other row's."]
    if len(rewards) > 1:
        found.append(weights_note(rewards))
    prompt = next((name for name in PROMPT_NAMES if name in schema), None)
    left = [name for name in visible(schema) if name not in {*used, prompt, "step"}]
    if left:
        found.append(f"columns of the row, not of a completion, are left out: {', '.join(left)}.")
    return tuple(found)


def _completions(names: tuple[str, ...], stem: str, *, last: bool) -> dict[str, str]:
    found = {}
    for name in names:
        tokens = _tokens(name)
        rest = tokens[:-1] if last else tokens[1:]
        # A score of a completion (response_a_score) is no completion.
        if rest and tokens[-1 if last else 0] == stem and not SCORE_NAME.search("_".join(rest)):
            found[name[: -len(stem)].rstrip("_-./: ") if last else name[len(stem) :].lstrip("_-./: ")] = name
    return found


def _with_values(names: tuple[str, ...], completions: dict[str, str], stem: str) -> Layout | None:
    values = _values(names, completions, stem)
    scored = {label for key, columns in values.items() if SCORE_NAME.search(key) for label in columns}
    # What has no score (response_notes, response_a_length) is no completion, but may be a value of one.
    kept = {label: name for label, name in completions.items() if label in scored}
    values = _values(names, kept, stem)
    scores = tuple(key for key in values if SCORE_NAME.search(key))
    return Layout(kept, values, scores) if len(kept) > 1 and scores else None


def _values(names: tuple[str, ...], completions: dict[str, str], stem: str) -> dict[str, dict[str, str]]:
    """What at least two completions have beside their texts: name, then label to column."""
    labels = sorted(((label, _tokens(label)) for label in completions), key=lambda item: -len(item[1]))
    values: dict[str, dict[str, str]] = {}
    for name in names:
        tokens = _tokens(name)
        if stem in tokens:
            tokens.remove(stem)
        label, rest = next(((label, rest) for label, own in labels if (rest := _without(tokens, own))), ("", []))
        if rest and name not in completions.values():
            values.setdefault("_".join(rest), {})[label] = name
    return {key: columns for key, columns in values.items() if len(columns) > 1}


def _without(tokens: list[str], own: list[str]) -> list[str]:
    """The tokens without a label at either end; empty where it is at none."""
    if tokens[: len(own)] == own:
        return tokens[len(own) :]
    return tokens[: -len(own)] if tokens[-len(own) :] == own else []


def _tokens(name: str) -> list[str]:
    return [token for token in _BETWEEN.split(name.lower()) if token]
