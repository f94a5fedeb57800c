"""Example prompts with the text around a parting: the end of the common prefix, then two continuations."""

from typing import Any

import numpy as np

from policycliff.rollouts.questions.prefix_tree.figures import first_depth
from policycliff.rollouts.questions.prefix_tree.losses import lost_at
from policycliff.rollouts.questions.prefix_tree.traces import Traces
from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64

MOST_EXAMPLES = 8
ENDS = "(ends)"
_SHOWN = 48


def tied_examples(table: RolloutTable, traces: Traces, tree: PrefixTree) -> list[dict[str, Any]]:
    """Where best traces of a prompt part first, prompts with most best completions first."""
    nodes, scored = tree.nodes, tree.scored
    first = tree.on_best & (nodes.best_actions > 1) & (nodes.depth == first_depth(tree)[nodes.prompt])
    best_draws = np.add.reduceat(np.where(scored.best, scored.layout.draws, 0), scored.layout.behaviour_offsets[:-1])
    chosen = _largest(np.where(first, best_draws[nodes.prompt], 0))
    found = []
    for node in chosen:
        branch = _branches(tree, node)
        best = scored.best[nodes.first[node] : nodes.last[node]]
        one = int(np.argmax(best))
        other = int(np.argmax(best & (branch != branch[one])))
        found.append(_example(table, traces, tree, node, (one, other)))
    return found


def losing_examples(table: RolloutTable, traces: Traces, tree: PrefixTree) -> list[dict[str, Any]]:
    """Where a best trace and a worse one part, the most reward lost first; the costliest place of a prompt only."""
    nodes, scored = tree.nodes, tree.scored
    lost = lost_at(tree)
    costliest = np.zeros(scored.layout.n_prompts)
    np.maximum.at(costliest, nodes.prompt, lost)
    chosen = _largest(np.where(lost == costliest[nodes.prompt], lost, 0.0))
    found = []
    for node in chosen:
        branch = _branches(tree, node)
        below = slice(nodes.first[node], nodes.last[node])
        best, values = scored.best[below], scored.values[below]
        one = int(np.argmax(best))
        leaves = ~np.isin(branch, branch[best])
        other = int(np.argmax(np.where(leaves, values, -np.inf)))
        gap = float(values[one] - values[other])
        found.append(_example(table, traces, tree, node, (one, other)) | {"gap": gap, "lost": float(lost[node])})
    return found


def _largest(weight: np.ndarray) -> list[int]:
    """Positions of the greatest positive weights, equal ones in order of the table."""
    order = np.argsort(-weight, kind="stable")[:MOST_EXAMPLES]
    return order[weight[order] > 0].tolist()


def _branches(tree: PrefixTree, node: int) -> Int64[np.ndarray, " traces"]:
    """Number of the action that each trace below a branching takes there."""
    first, last = tree.nodes.first[node], tree.nodes.last[node]
    changes = tree.rows.shared[first:last] == tree.nodes.depth[node]
    changes[0] = False
    return np.cumsum(changes)


def _example(table: RolloutTable, traces: Traces, tree: PrefixTree, node: int, pair: tuple[int, int]) -> dict[str, Any]:
    """Two traces below a branching, told by their positions there."""
    nodes, layout = tree.nodes, tree.scored.layout
    depth, first = int(nodes.depth[node]), int(nodes.first[node])
    branch = _branches(tree, node)
    draws = np.bincount(branch, weights=layout.draws[first : nodes.last[node]])
    rows = [int(layout.rows[layout.draw_offsets[first + position]]) for position in pair]
    lengths = [int(tree.rows.lengths[first + position]) for position in pair]
    texts = [_opening(traces, row, depth, length) for row, length in zip(rows, lengths, strict=True)]
    return {
        "prompt": table.frame["__prompt_id"][rows[0]],
        "depth": depth,
        "length": lengths[0],
        "after": _closing(traces, rows[0], depth),
        "one": texts[0],
        "other": texts[1],
        "completions_one": int(draws[branch[pair[0]]]),
        "completions_other": int(draws[branch[pair[1]]]),
        "completions": int(layout.group_sizes[nodes.prompt[node]]),
    }


def _closing(traces: Traces, row: int, depth: int) -> str:
    """The end of a prefix."""
    text = _on_one_line(traces.text(row, max(0, depth - _SHOWN), depth))
    if depth == 0:
        return "(the beginning)"
    return text if len(text) <= _SHOWN else "…" + text[1 - _SHOWN :]


def _opening(traces: Traces, row: int, depth: int, length: int) -> str:
    """How a trace goes on behind a prefix."""
    if depth == length:
        return ENDS
    text = _on_one_line(traces.text(row, depth, min(length, depth + _SHOWN)))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _on_one_line(text: str) -> str:
    return " ".join(text.replace("\n", " ⏎ ").split())
