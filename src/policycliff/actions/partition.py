"""A partition of the states under which optimal values are constant on blocks, and where that is proven.

Let every state keep a set of pairs that contains its optimal ones, and let block 0 hold states of value 0. Of the
pairs of a state that put the same probability mass into each other block, only those of largest reward can be optimal:
masses and that reward are a class. Where the states of each block have the same set of classes, V* is constant on
blocks and pairs of one class have equal Q* (docs/theory-core.md). Masses are sums of the stored numbers as real
numbers.

Finding and proving are separate. `refine` guesses the partition: it starts from values that the error of the solution
cannot tell apart and splits blocks by keys of their sets of classes, modulo a prime, until nothing splits. `prove`
trusts none of it: it compares masses as integers and sets entry by entry, and where a block fails it gives up that
block and all states that can reach it. So rounds may be cut short and keys may collide, at the price of fewer proofs
only.

Cost: O(nonzeros + S log S) a round, few rounds where values tell states apart; O(nonzeros + X log X) for the proof.
Sources: Givan, Dean and Greig, Equivalence notions and model minimization in Markov decision processes (2003); Paige
and Tarjan, Three partition refinement algorithms (1987).
"""

from dataclasses import dataclass

import numpy as np

from policycliff.actions.lumping_kernels import PRIME, mass_keys, residues, same_masses, set_keys
from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import reached_states
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64

ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Pairs by their masses, and the states where this is proven.

    Attributes:
        masses: (pairs,) equal numbers mean equal masses in each block (proven for pairs of proven states).
        best: (pairs,) whether no pair of the same state and masses has a larger reward.
        proven: (states,) where values are proven to be constant on blocks.
    """

    masses: Int64[np.ndarray, " pairs"]
    best: Bool[np.ndarray, " pairs"]
    proven: Bool[np.ndarray, " states"]


def worthless_states(mdp: MDP, values: Float64[np.ndarray, " states"], error: float) -> Bool[np.ndarray, " states"]:
    """Terminal states and those from which no reward but 0 can be reached: V* = 0 exactly."""
    if not (~mdp.terminal & (np.abs(values) <= error)).any():
        return mdp.terminal
    paid = np.logical_or.reduceat(mdp.rewards != 0.0, mdp.offsets[:-1])
    return ~states_reaching(mdp, paid) if paid.any() else ~paid


def states_reaching(mdp: MDP, targets: Bool[np.ndarray, " states"]) -> Bool[np.ndarray, " states"]:
    """(states,) from which some policy gets to a target with positive probability; targets included."""
    sources = np.repeat(np.arange(mdp.n_states), np.diff(mdp.first_successors))
    first = np.concatenate([[0], np.cumsum(np.bincount(mdp.successors, minlength=mdp.n_states))])
    before = sources[np.argsort(mdp.successors, kind="stable")].astype(np.int32)
    return np.asarray(reached_states(frozen(first), frozen(before), frozen(targets)))


def refine(
    mdp: MDP,
    *,
    values: Float64[np.ndarray, " states"],
    error: float,
    worthless: Bool[np.ndarray, " states"],
    open_states: Bool[np.ndarray, " states"],
) -> Int64[np.ndarray, " states"] | None:
    """Blocks of states, 0 for the worthless ones; None as soon as no open state has two pairs of equal masses."""
    alive = np.flatnonzero(~worthless)
    blocks = np.zeros(mdp.n_states, np.int64)
    blocks[alive] = _by_value(values[alive], error)
    rng = np.random.default_rng(0)
    reward_index = np.unique(mdp.rewards, return_inverse=True)[1].reshape(-1)
    marks, residue = rng.integers(1, PRIME, mdp.n_pairs)[reward_index], residues(mdp.probabilities)
    largest = int(np.diff(mdp.offsets).max())
    for _ in range(ROUNDS):
        masses = _mass_keys(mdp, blocks, residue, rng)
        keys, hopeful = set_keys(mdp.offsets, masses, mdp.rewards, marks, open_states, largest)
        if hopeful == 0:
            return None
        salts = rng.integers(0, 2**62, alive.size + 1)
        distinct, finer = np.unique(keys[alive] + salts[blocks[alive]], return_inverse=True)
        if distinct.size == blocks.max():
            break
        blocks[alive] = finer.reshape(-1) + 1
    return blocks


def prove(mdp: MDP, blocks: Int64[np.ndarray, " states"]) -> Classes:
    """Which states have, with all that they can reach, the sets of classes of their blocks; exact."""
    keys = _mass_keys(mdp, blocks, residues(mdp.probabilities), np.random.default_rng(1))
    # The model of a class is its shortest row, so that comparing with it costs no more than the row itself.
    ranked = np.lexsort((np.diff(mdp.indptr), keys))
    starts = np.flatnonzero(np.diff(keys[ranked], prepend=-1))
    masses = np.empty(mdp.n_pairs, np.int64)
    masses[ranked] = np.repeat(np.arange(starts.size), np.diff(starts, append=mdp.n_pairs))
    models = frozen(ranked[starts][masses])
    n_blocks = int(blocks.max()) + 1
    alike = same_masses(mdp.indptr, mdp.successors, mdp.probabilities, frozen(blocks), n_blocks, models)
    best, tops = _best_of_masses(mdp, masses)
    sound = np.logical_and.reduceat(alike, mdp.offsets[:-1]) & _agrees(mdp, blocks, masses, tops)
    failed = np.zeros(n_blocks, dtype=bool)
    failed[blocks[~sound]] = True
    failed[0] = False
    proven = ~states_reaching(mdp, failed[blocks]) if failed.any() else np.ones(mdp.n_states, dtype=bool)
    return Classes(masses=masses, best=best, proven=proven)


def _by_value(values: Float64[np.ndarray, " alive"], error: float) -> Int64[np.ndarray, " alive"]:
    """Numbers from 1 for groups of values; neighbours that the error can tell apart are in different groups."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order], prepend=values[order[:1]]) > 2.0 * error * (1.0 + 1e-12)
    groups = np.empty(values.size, np.int64)
    groups[order] = 1 + np.cumsum(steps)
    return groups


def _mass_keys(
    mdp: MDP,
    blocks: Int64[np.ndarray, " states"],
    residue: Int64[np.ndarray, " nonzeros"],
    rng: np.random.Generator,
) -> Int64[np.ndarray, " pairs"]:
    """(pairs,) keys of the masses that pairs put into blocks; block 0 does not count."""
    weights = rng.integers(1, PRIME, int(blocks.max()) + 1)
    weights[0] = 0
    return mass_keys(mdp.indptr, mdp.successors, residue, weights[blocks])


def _best_of_masses(
    mdp: MDP, masses: Int64[np.ndarray, " pairs"]
) -> tuple[Bool[np.ndarray, " pairs"], Int64[np.ndarray, " classes"]]:
    """Which pairs have the largest reward among those of their state and masses; and one of them for each, sorted."""
    owners = mdp.pair_states
    order = np.lexsort((mdp.rewards, masses, owners))
    last = np.ones(mdp.n_pairs, dtype=bool)
    last[:-1] = (np.diff(owners) != 0) | (np.diff(masses[order]) != 0)
    ends = np.flatnonzero(last)
    best = np.empty(mdp.n_pairs, dtype=bool)
    best[order] = mdp.rewards[order] == np.repeat(mdp.rewards[order[ends]], np.diff(ends, prepend=-1))
    return best, order[ends]


def _agrees(
    mdp: MDP,
    blocks: Int64[np.ndarray, " states"],
    masses: Int64[np.ndarray, " pairs"],
    tops: Int64[np.ndarray, " classes"],
) -> Bool[np.ndarray, " states"]:
    """(states,) whether a state has the same set of (masses, largest reward) as the first state of its block."""
    owners, kinds, rewards = mdp.pair_states[tops], masses[tops], mdp.rewards[tops]
    counts = np.bincount(owners, minlength=mdp.n_states)
    starts = np.cumsum(counts) - counts
    _, first, block = np.unique(blocks, return_index=True, return_inverse=True)
    model = first[block.reshape(-1)]
    same_size = counts == counts[model]
    other = np.arange(owners.size) + np.where(same_size, starts[model] - starts, 0)[owners]
    equal = (kinds == kinds[other]) & (rewards == rewards[other])
    return same_size & np.logical_and.reduceat(equal, starts)
