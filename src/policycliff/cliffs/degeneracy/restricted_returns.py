"""The best and the worst true return over policies that choose among given sets of actions, with proven intervals.

Where all sets are settled, both are the optimum of one MDP (of R and of -R on the restricted MDP). A set that is only
known to contain A*(s) makes the true figure lie between two others: whatever A*(s) is, the best return is at most that
of the whole sets, and at least what the best player can be sure of against one who picks a single member of every open
set. For any fixed choice in the settled states that is the optimum of an MDP again, so every bound here comes from a
certified solution; a few steps of policy iteration for the first player make it tight.

Cost: three solutions, and a few more where sets are open; in fractions three policy iterations.
"""

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from policycliff.actions.optimal import OptimalActions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool, Float64
from policycliff.values.exact import Rationals, make_exact, rational, rationals
from policycliff.values.operator import UNIT_ROUNDOFF
from policycliff.values.solve import solve, tight_tolerance

ROUNDS = 10

Bracket = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Best and worst true return over the optimal policies, and the optimum over all policies."""

    best: float
    worst: float
    optimum: float
    best_bracket: Bracket
    worst_bracket: Bracket
    optimum_bracket: Bracket
    best_values: Float64[np.ndarray, " states"]
    worst_values: Float64[np.ndarray, " states"]
    best_policy: Float64[np.ndarray, " pairs"]
    worst_policy: Float64[np.ndarray, " pairs"]
    decided: float
    mended_by_none: float
    decided_bracket: Bracket
    mended_by_none_bracket: Bracket


@dataclass(frozen=True, slots=True, eq=False)
class _Extreme:
    """The largest return among members: values, policy over all pairs, and the return with its error."""

    values: Float64[np.ndarray, " states"]
    policy: Float64[np.ndarray, " pairs"]
    total: float
    error: float

    @property
    def bracket(self) -> Bracket:
        return minus(self.total, self.error)[0], minus(self.total, -self.error)[1]


def returns_in_floats(
    actions: OptimalActions,
    true_mdp: MDP,
    start: Float64[np.ndarray, " states"],
    unsettled: Bool[np.ndarray, " states"],
) -> Returns:
    """Certified intervals; `unsettled` marks the sets that may be too large."""
    members, rewards = actions.members, true_mdp.rewards
    best = _largest(true_mdp, members, rewards, start)
    worst = _largest(true_mdp, members, -rewards, start)
    optimum = _largest(true_mdp, np.ones_like(members), rewards, start)
    best_bracket, worst_bracket = best.bracket, (-worst.bracket[1], -worst.bracket[0])
    if unsettled.any():
        low = _guaranteed(true_mdp, members, rewards, start, unsettled=unsettled, guess=best)
        high = -_guaranteed(true_mdp, members, -rewards, start, unsettled=unsettled, guess=worst)
        best_bracket = (min(low, best_bracket[0]), best_bracket[1])
        worst_bracket = (worst_bracket[0], max(high, worst_bracket[1]))
    return Returns(
        best=best.total,
        worst=0.0 - worst.total,
        optimum=optimum.total,
        best_bracket=best_bracket,
        worst_bracket=worst_bracket,
        optimum_bracket=optimum.bracket,
        best_values=best.values,
        worst_values=frozen(0.0 - worst.values),
        best_policy=best.policy,
        worst_policy=worst.policy,
        decided=max(best.total + worst.total, 0.0),
        mended_by_none=max(optimum.total - best.total, 0.0),
        decided_bracket=_difference(best_bracket, worst_bracket),
        mended_by_none_bracket=_difference(optimum.bracket, best_bracket),
    )


def returns_in_fractions(actions: OptimalActions, true_mdp: MDP, start: Float64[np.ndarray, " states"]) -> Returns:
    """Everything in rational arithmetic; floats are the nearest ones, brackets one unit in the last place wide."""
    exact = make_exact(true_mdp)
    rewards, weights = rationals(true_mdp.rewards), rationals(start)
    members = actions.members.tolist()
    first = [int(actions.pairs(state)[0]) for state in range(true_mdp.n_states)]
    up, high, _ = exact.optimise(rewards, first, allowed=members)
    down, low, _ = exact.optimise([-reward for reward in rewards], first, allowed=members)
    _, top, _ = exact.optimise(rewards, up)
    best, worst, optimum = _total(weights, high), -_total(weights, low), _total(weights, top)
    return Returns(
        best=float(best),
        worst=float(worst),
        optimum=float(optimum),
        best_bracket=float_bracket(best),
        worst_bracket=float_bracket(worst),
        optimum_bracket=float_bracket(optimum),
        best_values=frozen(np.array([float(value) for value in high])),
        worst_values=frozen(np.array([0.0 - float(value) for value in low])),
        best_policy=_indicator(true_mdp, up),
        worst_policy=_indicator(true_mdp, down),
        decided=float(best - worst),
        mended_by_none=float(optimum - best),
        decided_bracket=float_bracket(best - worst),
        mended_by_none_bracket=float_bracket(optimum - best),
    )


def float_bracket(number: fmpq) -> Bracket:
    """The nearest floats around a fraction; twice the same where it is a float itself."""
    nearest = float(number)
    if rational(nearest) == number:
        return nearest, nearest
    return float(np.nextafter(nearest, -np.inf)), float(np.nextafter(nearest, np.inf))


def weighted_return(
    start: Float64[np.ndarray, " states"], values: Float64[np.ndarray, " states"], error: float
) -> tuple[float, float]:
    """The return from the start distribution and its error, given that of the values."""
    seeds = np.flatnonzero(start)
    total = float(start[seeds] @ values[seeds])
    certain = seeds.size == 1 and bool(start[seeds[0]] == 1.0)
    rounding = 0.0 if certain else (seeds.size + 1.0) * UNIT_ROUNDOFF * float(start[seeds] @ np.abs(values[seeds]))
    return total, error * (1.0 + 1e-8 * (not certain)) + rounding


def _largest(
    mdp: MDP,
    members: Bool[np.ndarray, " pairs"],
    rewards: Float64[np.ndarray, " pairs"],
    start: Float64[np.ndarray, " states"],
) -> _Extreme:
    smaller = restrict(mdp, members, rewards=rewards)
    solution = solve(smaller.mdp, tolerance=tight_tolerance(rewards))
    total, error = weighted_return(start, solution.values, solution.error_bound)
    return _Extreme(values=solution.values, policy=smaller.widen(solution.policy), total=total, error=error)


def _guaranteed(
    mdp: MDP,
    members: Bool[np.ndarray, " pairs"],
    rewards: Float64[np.ndarray, " pairs"],
    start: Float64[np.ndarray, " states"],
    *,
    unsettled: Bool[np.ndarray, " states"],
    guess: _Extreme,
) -> float:
    """A lower bound on the best return, whichever members of the unsettled sets are optimal."""
    open_pairs = members & unsettled[mdp.pair_states]
    choice, bound = guess.policy > 0.0, -np.inf
    for _ in range(ROUNDS):
        worst = _largest(mdp, open_pairs | (choice & members), -rewards, start)
        bound = max(bound, -worst.bracket[1])
        better = _first_best(mdp, members, rewards - mdp.gamma * (mdp.transitions @ worst.values))
        if (better == choice).all():
            break
        choice = better
    return bound


def _first_best(
    mdp: MDP, members: Bool[np.ndarray, " pairs"], scores: Float64[np.ndarray, " pairs"]
) -> Bool[np.ndarray, " pairs"]:
    """(pairs,) the first member of largest score in each state."""
    allowed = np.where(members, scores, -np.inf)
    top = np.maximum.reduceat(allowed, mdp.offsets[:-1])[mdp.pair_states]
    found = np.flatnonzero(allowed == top)
    result = np.zeros(mdp.n_pairs, dtype=bool)
    result[found[np.unique(mdp.pair_states[found], return_index=True)[1]]] = True
    return result


def _difference(upper: Bracket, lower: Bracket) -> Bracket:
    """The interval of a difference that is known to be at least 0."""
    return max(minus(upper[0], lower[1])[0], 0.0), max(minus(upper[1], lower[0])[1], 0.0)


def minus(first: float, second: float) -> Bracket:
    """Floats below and above the difference, or twice the difference itself where it is a float."""
    if not (np.isfinite(first) and np.isfinite(second)):
        return first - second, first - second
    return float_bracket(rational(first) - rational(second))


def _total(weights: Rationals, values: Rationals) -> fmpq:
    return sum((w * v for w, v in zip(weights, values, strict=True)), fmpq(0))


def _indicator(mdp: MDP, best: list[int]) -> Float64[np.ndarray, " pairs"]:
    policy = np.zeros(mdp.n_pairs)
    policy[best] = 1.0
    return frozen(policy)
