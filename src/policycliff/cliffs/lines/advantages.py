"""Advantages of one policy as lines in t, in floats, with what is proven about them.

The advantage of a pair under R0 + t * direction is c0 + t c1 within `slack` on the whole line: twice the certified
errors of the two evaluations, and rounding. Where a pair has the same kernel row as the policy's own (or gamma = 0, or
both lead to terminal states only) its line is a difference of given numbers, and equal numbers are a proven tie.

A pair whose line stays within its slack from end to end cannot be told from a tie: it is doubtful. If doubtful pairs
could gain at most e, then V* exceeds the policy's values by at most e A (A the amplification), which is added to the
slack of the others. The policy is optimal (up to doubtful pairs) on `low` to `high`, where all others are proven worse.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import UNIT_ROUNDOFF, amplification


@dataclass(frozen=True, slots=True)
class World:
    """What all policies on the line share: `kinds` numbers the pairs by what comes after them."""

    mdp: MDP
    direction: Float64[np.ndarray, " pairs"]
    t_min: float
    t_max: float
    kinds: Int64[np.ndarray, " pairs"]
    owners: Int64[np.ndarray, " pairs"]
    amplification: float

    def alike(self, pair: int) -> Bool[np.ndarray, " pairs"]:
        """(pairs,) the pairs that surely do the same as this one, itself included, at every t."""
        mdp = self.mdp
        same = (self.owners == self.owners[pair]) & (self.kinds == self.kinds[pair])
        return same & (mdp.rewards == mdp.rewards[pair]) & (self.direction == self.direction[pair])


@dataclass(frozen=True, slots=True)
class Lines:
    """A policy (one pair a state), its advantages as lines, and the ends of where it is proven optimal.

    `first` and `last` are the values of t from which, and up to which, each pair is proven worse; tied and doubtful
    pairs do not limit it.
    """

    best: Int64[np.ndarray, " states"]
    c0: Float64[np.ndarray, " pairs"]
    c1: Float64[np.ndarray, " pairs"]
    slack: Float64[np.ndarray, " pairs"]
    tied: Bool[np.ndarray, " pairs"]
    doubtful: Bool[np.ndarray, " pairs"]
    first: Float64[np.ndarray, " pairs"]
    last: Float64[np.ndarray, " pairs"]
    intercept: float
    slope: float

    @property
    def low(self) -> float:
        """Left end of where the policy is proven optimal."""
        return float(self.first.max())

    @property
    def high(self) -> float:
        """Right end of where the policy is proven optimal; below `low` where nothing is proven."""
        return float(self.last.min())

    @property
    def members(self) -> Bool[np.ndarray, " pairs"]:
        """(pairs,) the optimal set there; a superset if any pair is doubtful."""
        return frozen(self.tied | self.doubtful)

    @property
    def is_certified(self) -> bool:
        """Whether no pair is doubtful."""
        return not bool(self.doubtful.any())


def make_world(mdp: MDP, direction: Float64[np.ndarray, " pairs"], t_min: float, t_max: float) -> World:
    """The line, with its pairs sorted into kinds."""
    return World(
        mdp=mdp,
        direction=direction,
        t_min=t_min,
        t_max=t_max,
        kinds=_kinds(mdp),
        owners=mdp.pair_states,
        amplification=amplification(mdp),
    )


def make_lines(world: World, best: Int64[np.ndarray, " states"]) -> Lines:
    """Evaluate a policy under the reward and under the direction."""
    mdp = world.mdp
    policy = np.zeros(mdp.n_pairs)
    policy[best] = 1.0
    policy = frozen(policy)
    values, columns, errors = [], [], []
    same_kind = world.kinds == world.kinds[best][world.owners]
    for reward in (mdp.rewards, world.direction):
        found = evaluate(mdp, policy, rewards=reward)
        given = reward - reward[best][world.owners]
        columns.append(np.where(same_kind, given, found.advantages(mdp)))
        errors.append(np.where(same_kind, 0.0, 2.0 * found.error_bound))
        values.append(0.0 if mdp.initial is None else float(mdp.initial @ found.values))
    reach = max(abs(world.t_min), abs(world.t_max))
    rounding = 8.0 * UNIT_ROUNDOFF * (np.abs(columns[0]) + reach * np.abs(columns[1]))
    slack = errors[0] + reach * errors[1] + rounding
    tied = (columns[0] == 0.0) & (columns[1] == 0.0) & (slack == 0.0)
    doubtful, slack = _doubt(world, columns, slack, tied)
    free = tied | doubtful
    first, last = _limits(columns[0], columns[1], -slack)
    return Lines(
        best=best,
        c0=columns[0],
        c1=columns[1],
        slack=slack,
        tied=tied,
        doubtful=doubtful,
        first=np.where(free, -np.inf, first),
        last=np.where(free, np.inf, last),
        intercept=values[0],
        slope=values[1],
    )


def crossing_end(lines: Lines, pair: int) -> float:
    """The t by which a rising line has surely crossed zero."""
    return float((lines.slack[pair] - lines.c0[pair]) / lines.c1[pair])


def _doubt(
    world: World,
    columns: list[Float64[np.ndarray, " pairs"]],
    slack: Float64[np.ndarray, " pairs"],
    tied: Bool[np.ndarray, " pairs"],
) -> tuple[Bool[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """Which pairs cannot be told from a tie on the whole line, and the slack that this costs the others."""
    ends = np.array([columns[0] + t * columns[1] for t in (world.t_min, world.t_max)])
    doubtful = (np.abs(ends) <= slack).all(axis=0) & ~tied
    gain = float((ends.max(axis=0) + slack)[doubtful].max(initial=0.0))
    return doubtful, slack + (gain * world.amplification * (1.0 + 4.0 * UNIT_ROUNDOFF) if gain > 0.0 else 0.0)


def _limits(
    c0: Float64[np.ndarray, " pairs"], c1: Float64[np.ndarray, " pairs"], level: Float64[np.ndarray, " pairs"]
) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """From where to where each line c0 + t c1 is at most `level`; inf to -inf if nowhere."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = (level - c0) / c1
    first = np.where(c1 < 0.0, crossing, np.where((c1 == 0.0) & (c0 > level), np.inf, -np.inf))
    last = np.where(c1 > 0.0, crossing, np.where((c1 == 0.0) & (c0 > level), -np.inf, np.inf))
    return first, last


def _kinds(mdp: MDP) -> Int64[np.ndarray, " pairs"]:
    """A number for each pair; equal where gamma P is the same row, or leads to terminal states only."""
    if mdp.gamma == 0.0:
        return np.zeros(mdp.n_pairs, np.int64)
    rows: dict[bytes, int] = {}
    result = np.empty(mdp.n_pairs, np.int64)
    for pair, (first, last) in enumerate(zip(mdp.indptr[:-1].tolist(), mdp.indptr[1:].tolist(), strict=True)):
        successors = mdp.successors[first:last]
        ends = bool(mdp.terminal[successors].all())
        key = b"" if ends else successors.tobytes() + mdp.probabilities[first:last].tobytes()
        result[pair] = rows.setdefault(key, len(rows))
    return result
