"""The prefix tree of every prompt, from its sorted traces: values at every prefix, and where traces part.

Theory. A prefix is a state and the next piece, or the end, an action (section 3.1). Rewards lie at the ends and
gamma = 1, so the optimal value of a prefix is the best reward below it, and that of an action the best reward behind
it. Values change only where traces branch: the tree is kept as its branchings (the intervals of shared lengths of
sorted traces), of which a prompt has fewer than traces. Completions with the same trace are draws of one end, whose
reward is their mean. Cost: linear in the pieces, and n log n comparisons to sort.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.layout import Layout
from policycliff.rollouts.questions.prefix_tree.traces import Traces
from policycliff.rollouts.questions.prefix_tree.tree_kernels import (
    branchings,
    shared_with_best,
    shared_with_previous,
    sort_traces,
)
from policycliff.rollouts.scores import Reward, Scored, score
from policycliff.rollouts.segments import segment_of
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Sorted:
    """Usable rows of prompts that have two of them, in lexicographic order of their traces.

    Attributes:
        layout: Its behaviours are the distinct traces, in order.
        row_lengths: (rows,) pieces of each row.
        row_shared: (rows,) pieces shared with the row before in the prompt, -1 for the first.
        lengths: (traces,) pieces of each trace.
        shared: (traces,) pieces shared with the trace before in the prompt, -1 for the first.
    """

    layout: Layout
    row_lengths: Int64[np.ndarray, " rows"]
    row_shared: Int64[np.ndarray, " rows"]
    lengths: Int64[np.ndarray, " traces"]
    shared: Int64[np.ndarray, " traces"]


@dataclass(frozen=True, slots=True)
class Branchings:
    """Prefixes after which a prompt's traces differ.

    Attributes:
        prompt: Position of the prompt in the layout.
        depth: Pieces of the prefix.
        first: First trace below it.
        last: The trace behind the last one below it.
        best: Optimal value: the best reward below.
        worse: The best reward behind an action that is not optimal; -inf where all are.
        actions: How many pieces, or the end, may come next.
        best_actions: How many of them are optimal.
    """

    prompt: Int64[np.ndarray, " branchings"]
    depth: Int64[np.ndarray, " branchings"]
    first: Int64[np.ndarray, " branchings"]
    last: Int64[np.ndarray, " branchings"]
    best: Float64[np.ndarray, " branchings"]
    worse: Float64[np.ndarray, " branchings"]
    actions: Int64[np.ndarray, " branchings"]
    best_actions: Int64[np.ndarray, " branchings"]


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """The prefix trees of all prompts under one reward.

    Attributes:
        rows: The sorted rows and traces.
        scored: Reward of every trace, and the best ones.
        nodes: Where traces branch.
        left_at: (traces,) pieces shared with the nearest other best trace; -1 where there is none.
    """

    rows: Sorted
    scored: Scored
    nodes: Branchings
    left_at: Int64[np.ndarray, " traces"]

    @property
    def on_best(self) -> Bool[np.ndarray, " branchings"]:
        """Whether a branching is a prefix of some best trace."""
        return self.nodes.best == self.scored.best_value[self.nodes.prompt]

    def draws_below(self) -> Int64[np.ndarray, " branchings"]:
        """Completions that begin with each branching's prefix."""
        starts = self.rows.layout.draw_offsets
        return starts[self.nodes.last] - starts[self.nodes.first]

    def mean_below(self) -> Float64[np.ndarray, " branchings"]:
        """Mean reward of the completions that begin with each prefix: its value under the sampling policy."""
        starts = self.rows.layout.draw_offsets
        sums = np.append(0.0, np.cumsum(self.scored.scores))
        return (sums[starts[self.nodes.last]] - sums[starts[self.nodes.first]]) / self.draws_below()


def sorted_traces(table: RolloutTable, traces: Traces, usable: Bool[np.ndarray, " rows"]) -> Sorted:
    """Sort the usable rows that have a trace; prompts with fewer than two of them are left out."""
    prompt_of_row = segment_of(table.offsets)
    usable = usable & (traces.lists.lengths >= 0)
    enough = np.bincount(prompt_of_row[usable], minlength=table.n_groups) >= 2
    rows = np.flatnonzero(usable & enough[prompt_of_row])
    prompts, sizes = np.unique(prompt_of_row[rows], return_counts=True)
    offsets = np.append(0, np.cumsum(sizes))
    slices = (traces.codes, traces.lists.starts, traces.lists.lengths)
    order = sort_traces(*slices, rows, offsets)
    row_shared = shared_with_previous(*slices, order, offsets)
    lengths = traces.lists.lengths[order]
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (row_shared[1:] == lengths[1:]) & (row_shared[1:] == lengths[:-1])
    starts = np.flatnonzero(~same)
    prompt_of_row = segment_of(offsets)
    layout = Layout(
        rows=order,
        prompts=prompts,
        row_offsets=offsets,
        behaviour_offsets=np.searchsorted(starts, offsets),
        draw_offsets=np.append(starts, len(order)),
        prompt_of_row=prompt_of_row,
        prompt_of_behaviour=prompt_of_row[starts],
    )
    return Sorted(layout, lengths, row_shared, lengths[starts], row_shared[starts])


def prefix_tree_of(rows: Sorted, reward: Reward) -> PrefixTree:
    """The trees under a reward that every row has."""
    scored = score(reward, rows.layout)
    offsets = rows.layout.behaviour_offsets
    nodes = Branchings(*branchings(rows.shared, scored.values, offsets))
    return PrefixTree(rows, scored, nodes, shared_with_best(rows.shared, scored.best, offsets))
