"""Prefixes with equal keys as one state: the quotient of the prefix tree.

The key of a prefix is given by the user, for example a canonical form of the partial answer. Every prompt has a root
of its own, and a piece that leaves the key as it is takes no step. Rewards lie at the ends: all completions that end in
one state are draws of one end, whose reward is their mean. As on the tree, the optimal value of a state is the best
reward at an end that can be reached from it; but ways may now cross, so that a state's value can come from a text that
begins differently, and a way from the root to an end need not be any text that was sampled.

Keys forget. Two signs that they forget too much are counted: ends of different traces in one state whose rewards
disagree, and one piece leading from one state to several. Where keys come back to an earlier state, ways are endless
and not counted. Cost: one sort of the pieces.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.questions.prefix_tree.graph_kernels import best_reachable, log_ways, topological_order
from policycliff.rollouts.questions.prefix_tree.list_columns import Lists, lists_of
from policycliff.rollouts.questions.prefix_tree.traces import Traces, codes_of
from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree
from policycliff.rollouts.scores import Reward, Scored, score
from policycliff.rollouts.segments import segment_max, segment_min, segment_of
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of the table's sorted rows: `lists` of them, and equal `codes` for equal keys."""

    lists: Lists
    codes: Int64[np.ndarray, " keys"]


@dataclass(frozen=True, slots=True)
class Quotient:
    """The merged states of all prompts.

    Attributes:
        scored: The ends: its behaviours are the states in which completions end.
        end_state: (ends,) state of each end.
        prompt: (states,) position of the state's prompt in the layout.
        best: (states,) optimal value.
        worse: (states,) the best reward behind an action that is not optimal; -inf where all are.
        best_actions: (states,) how many actions are optimal; ending is one where a completion ends.
        log_traces: (prompts,) natural logarithm of the number of optimal ways; NaN with a cycle.
        cyclic: (prompts,) whether keys come back to an earlier state.
        several: Ends that several distinct traces share.
        disputed: (ends,) those whose traces have different rewards.
        steps: Distinct (state, piece); `ambiguous`: those that lead to several states.
    """

    scored: Scored
    end_state: Int64[np.ndarray, " ends"]
    prompt: Int64[np.ndarray, " states"]
    best: Float64[np.ndarray, " states"]
    worse: Float64[np.ndarray, " states"]
    best_actions: Int64[np.ndarray, " states"]
    log_traces: Float64[np.ndarray, " prompts"]
    cyclic: Bool[np.ndarray, " prompts"]
    several: int
    disputed: Bool[np.ndarray, " ends"]
    steps: int
    ambiguous: int

    @property
    def deciding(self) -> Bool[np.ndarray, " states"]:
        """States on an optimal way at which some action is worse, of prompts without a cycle."""
        return self._on_best & np.isfinite(self.worse)

    @property
    def parting(self) -> Bool[np.ndarray, " states"]:
        """States on an optimal way with several optimal actions, of prompts without a cycle."""
        return self._on_best & (self.best_actions > 1)

    @property
    def _on_best(self) -> Bool[np.ndarray, " states"]:
        return ~self.cyclic[self.prompt] & (self.best == self.scored.best_value[self.prompt])


def keys_of(table: RolloutTable, column: pl.Series, traces: Traces) -> Keys:
    """Keys along the sorted rows.

    Raises:
        TableError: A list is not as long as its trace.
    """
    lists = lists_of(column.gather(table.row_index), "merge")
    wrong = np.flatnonzero((lists.lengths != traces.lists.lengths) & (lists.lengths >= 0) & (traces.lists.lengths >= 0))
    if len(wrong):
        row = wrong[0]
        raise TableError(
            f"merge column {column.name!r} has {lists.lengths[row]} keys in row {table.row_index[row] + 1} (counted "
            f"from 1), whose trace has {traces.lists.lengths[row]} {traces.unit}s. Give the state reached after each."
        )
    return Keys(lists, codes_of(lists.elements))


def quotient_of(tree: PrefixTree, traces: Traces, keys: Keys, reward: Reward) -> Quotient:
    """The quotient of the trees by the keys; every sorted row has keys."""
    layout, lengths = tree.rows.layout, tree.rows.row_lengths
    n_prompts = layout.n_prompts
    owner = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(owner)) - (np.cumsum(lengths) - lengths)[owner]
    prompt = layout.prompt_of_row[owner]
    key = keys.codes[keys.lists.starts[layout.rows][owner] + within]
    piece = traces.codes[traces.lists.starts[layout.rows][owner] + within]
    distinct, number = np.unique(prompt * (key.max(initial=0) + 1) + key, return_inverse=True)
    # The first states are the roots.
    state = number.reshape(-1) + n_prompts
    n_states = len(distinct) + n_prompts
    prompt_of_state = np.append(np.arange(n_prompts), distinct // (key.max(initial=0) + 1))
    before = np.where(within == 0, prompt, np.append(0, state[:-1])[: len(state)])
    last = np.append(state, 0)[np.cumsum(lengths) - 1]
    final = np.where(lengths > 0, last, layout.prompt_of_row)
    ends, end_of_row, end_layout = _ends(layout, final)
    scored = score(reward, end_layout)
    offsets, targets, steps, ambiguous = _steps(before, piece, state, n_states)
    at_end = np.full(n_states, -np.inf)
    at_end[ends] = scored.values
    order = topological_order(offsets, targets)
    in_order = np.zeros(n_states, dtype=bool)
    in_order[order] = True
    cyclic = np.zeros(n_prompts, dtype=bool)
    cyclic[prompt_of_state[~in_order]] = True
    best, worse, best_actions = best_reachable(order, offsets, targets, at_end)
    ways = log_ways(order, offsets, targets, np.arange(n_states) < n_prompts)[ends]
    several, disputed = _disputed(tree, end_of_row, len(ends))
    traces_of_prompt = np.where(cyclic, np.nan, _log_sums(ways, scored))
    kept = (best, worse, best_actions, traces_of_prompt, cyclic, several, disputed, steps, ambiguous)
    return Quotient(scored, ends, prompt_of_state, *kept)


def _ends(
    layout: Layout, final: Int64[np.ndarray, " rows"]
) -> tuple[Int64[np.ndarray, " ends"], Int64[np.ndarray, " rows"], Layout]:
    """The states in which rows end, by prompt; the end of each row; and the layout in which ends are behaviours."""
    order = np.lexsort((final, layout.prompt_of_row))
    ordered, prompts = final[order], layout.prompt_of_row
    starts = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]) | (prompts[1:] != prompts[:-1])))
    draw_offsets = np.append(starts, len(order))
    end_of_row = np.empty(len(order), dtype=np.int64)
    end_of_row[order] = segment_of(draw_offsets)
    merged = Layout(
        rows=layout.rows[order],
        prompts=layout.prompts,
        row_offsets=layout.row_offsets,
        behaviour_offsets=np.searchsorted(starts, layout.row_offsets),
        draw_offsets=draw_offsets,
        prompt_of_row=prompts,
        prompt_of_behaviour=prompts[starts],
    )
    return ordered[starts], end_of_row, merged


def _steps(
    before: Int64[np.ndarray, " pieces"],
    piece: Int64[np.ndarray, " pieces"],
    state: Int64[np.ndarray, " pieces"],
    n_states: int,
) -> tuple[Int64[np.ndarray, " states_plus_1"], Int64[np.ndarray, " edges"], int, int]:
    """Distinct steps between states in CSR form; the number of (state, piece), and of those with several successors."""
    acted, action = np.unique(before * (piece.max(initial=0) + 1) + piece, return_inverse=True)
    outcomes = _distinct(action.reshape(-1) * n_states + state) // n_states
    moves = before != state
    edges = _distinct(before[moves] * n_states + state[moves])
    offsets = np.searchsorted(edges // n_states, np.arange(n_states + 1))
    return offsets, edges % n_states, len(acted), int((np.bincount(outcomes, minlength=1) > 1).sum())


def _distinct(values: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " distinct"]:
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]


def _disputed(
    tree: PrefixTree, end_of_row: Int64[np.ndarray, " rows"], n_ends: int
) -> tuple[int, Bool[np.ndarray, " ends"]]:
    """How many ends several traces share, and which of all ends have traces of different rewards."""
    layout = tree.rows.layout
    end = end_of_row[layout.draw_offsets[:-1]]
    order = np.argsort(end, kind="stable")
    offsets = np.searchsorted(end[order], np.arange(n_ends + 1))
    values = tree.scored.values[order]
    disputed = segment_max(values, offsets) != segment_min(values, offsets)
    return int((np.diff(offsets) > 1).sum()), disputed


def _log_sums(ways: Float64[np.ndarray, " ends"], scored: Scored) -> Float64[np.ndarray, " prompts"]:
    """Logarithm of the number of ways to the best ends of each prompt."""
    counted = np.where(scored.best, ways, -np.inf)
    offsets, where = scored.layout.behaviour_offsets, scored.layout.prompt_of_behaviour
    largest = segment_max(counted, offsets)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.exp(counted - largest[where])
        return largest + np.log(np.add.reduceat(terms, offsets[:-1]))
