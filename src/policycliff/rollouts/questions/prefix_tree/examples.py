"""Example prompts with the text around a parting: the end of the common prefix, then two continuations."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.questions.prefix_tree.figures import first_depth, truth_differs
from policycliff.rollouts.questions.prefix_tree.losses import lost_at
from policycliff.rollouts.questions.prefix_tree.traces import Traces
from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

MOST_EXAMPLES = 8
BEGINNING, ENDS = "(the beginning)", "(ends)"
_SHOWN, _BEFORE = 48, 16
_RUN = re.compile(r"(\S)\1{9,}")


def tied_examples(table: RolloutTable, traces: Traces, tree: PrefixTree) -> list[dict[str, Any]]:
    """Where best traces of a prompt part first: first those that differ in the truth, then by best completions."""
    nodes, scored = tree.nodes, tree.scored
    first = tree.on_best & (nodes.best_actions > 1) & (nodes.depth == first_depth(tree)[nodes.prompt])
    best_draws = np.add.reduceat(np.where(scored.best, scored.layout.draws, 0), scored.layout.behaviour_offsets[:-1])
    if table.truth is not None:
        best_draws = best_draws + np.where(truth_differs(tree, table.truth.scores), table.n_rows, 0)
    found = []
    for node in _largest(np.where(first, best_draws[nodes.prompt], 0)):
        ways = _ways(tree, node)
        drawn = np.bincount(ways.number, weights=ways.draws * ways.best)
        common, next_common = np.argsort(-drawn, kind="stable")[:2].tolist()
        found.append(_example(table, traces, tree, node, (common, next_common)))
    return found


def losing_examples(table: RolloutTable, traces: Traces, tree: PrefixTree) -> list[dict[str, Any]]:
    """Where a best trace and a worse one part, the most reward lost first; the costliest place of a prompt only."""
    nodes, scored = tree.nodes, tree.scored
    lost = lost_at(tree)
    costliest = np.zeros(scored.layout.n_prompts)
    np.maximum.at(costliest, nodes.prompt, lost)
    found = []
    for node in _largest(np.where(lost == costliest[nodes.prompt], lost, 0.0)):
        ways = _ways(tree, node)
        followed = np.bincount(ways.number, weights=ways.draws * ways.best)
        best_of_way = np.maximum.reduceat(ways.values, np.searchsorted(ways.number, np.arange(len(followed))))
        lost_on = np.bincount(ways.number, weights=ways.draws * (nodes.best[node] - ways.values))
        costly = int(np.argmax(np.where(followed == 0, lost_on, -1.0)))
        gap = float(nodes.best[node] - best_of_way[costly])
        item = _example(table, traces, tree, node, (int(np.argmax(followed)), costly))
        found.append(item | {"gap": gap, "lost": float(lost[node])})
    return found


def _largest(weight: np.ndarray) -> list[int]:
    """Positions of the greatest positive weights, equal ones in order of the table."""
    order = np.argsort(-weight, kind="stable")[:MOST_EXAMPLES]
    return order[weight[order] > 0].tolist()


@dataclass(frozen=True, slots=True)
class _Ways:
    """The traces below a branching: the number of the way on that each takes there, its draws, reward, whether best."""

    number: Int64[np.ndarray, " traces"]
    draws: Int64[np.ndarray, " traces"]
    values: Float64[np.ndarray, " traces"]
    best: Bool[np.ndarray, " traces"]


def _ways(tree: PrefixTree, node: int) -> _Ways:
    below = slice(int(tree.nodes.first[node]), int(tree.nodes.last[node]))
    changes = tree.rows.shared[below] == tree.nodes.depth[node]
    changes[0] = False
    return _Ways(
        np.cumsum(changes), tree.scored.layout.draws[below], tree.scored.values[below], tree.scored.best[below]
    )


def _example(table: RolloutTable, traces: Traces, tree: PrefixTree, node: int, pair: tuple[int, int]) -> dict[str, Any]:
    """Two ways on from a branching, each told by its best trace."""
    nodes, layout, ways = tree.nodes, tree.scored.layout, _ways(tree, node)
    depth, first = int(nodes.depth[node]), int(nodes.first[node])
    drawn = np.bincount(ways.number, weights=ways.draws)
    chosen = [first + int(np.argmax(_best_of(ways, way))) for way in pair]
    rows = [int(layout.rows[layout.draw_offsets[trace]]) for trace in chosen]
    lengths = [int(tree.rows.lengths[trace]) for trace in chosen]
    truth = [_mean_truth(table, tree, first + np.flatnonzero(_best_of(ways, way))) for way in pair]
    texts = _openings(traces, rows, depth, lengths)
    return {
        "prompt": table.frame["__prompt_id"][rows[0]],
        "depth": depth,
        "length": lengths[0],
        "after": _closing(traces, rows[0], depth),
        "one": texts[0],
        "other": texts[1],
        "completions_one": int(drawn[pair[0]]),
        "completions_other": int(drawn[pair[1]]),
        "truth_one": truth[0],
        "truth_other": truth[1],
        "completions": int(layout.group_sizes[nodes.prompt[node]]),
    }


def _best_of(ways: _Ways, way: int) -> Bool[np.ndarray, " traces"]:
    """The best traces on a way."""
    taken = ways.number == way
    return taken & (ways.values == ways.values[taken].max())


def _mean_truth(table: RolloutTable, tree: PrefixTree, found: Int64[np.ndarray, " traces"]) -> float | None:
    """Mean truth over the completions of some traces; None where it is not known."""
    if table.truth is None:
        return None
    layout = tree.scored.layout
    rows = np.concatenate([layout.rows[layout.draw_offsets[i] : layout.draw_offsets[i + 1]] for i in found])
    known = table.truth.scores[rows]
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None


def _closing(traces: Traces, row: int, depth: int) -> str:
    """The end of a prefix."""
    if depth == 0:
        return BEGINNING
    text = _on_one_line(traces.text(row, max(0, depth - _SHOWN), depth))
    return text if len(text) <= _SHOWN else "…" + text[1 - _SHOWN :]


def _openings(traces: Traces, rows: list[int], depth: int, lengths: list[int]) -> list[str]:
    """How traces go on behind a prefix, from shortly before their texts differ: long pieces often begin alike."""
    texts = [
        _on_one_line(traces.text(row, depth, min(length, depth + _SHOWN)))
        for row, length in zip(rows, lengths, strict=True)
    ]
    start = max(0, _alike(*texts) - _BEFORE)
    shown = [("…" if start else "") + text[start:] for text in texts]
    cut = [text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…" for text in shown]
    return [ENDS if depth == length else text for text, length in zip(cut, lengths, strict=True)]


def _alike(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _on_one_line(text: str) -> str:
    return _RUN.sub(r"\1\1\1\1…", " ".join(text.replace("\n", " ⏎ ").split()))
