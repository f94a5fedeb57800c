"""The optimal policy of a mixture and what it returns under each corner: in fractions, or in floats with a bound.

A policy that is evaluated under every corner reward is known for all mixtures: its advantages are linear in the shares.
In fractions a policy is optimal in every state exactly if no mixed advantage is positive, and policy iteration gets
there from the float optimum, usually in no step. In floats the mixture is solved with a certified error; its policy is
evaluated with another.

`start` is how much each state counts. A vector is start . V under each corner. With the initial distribution that is
the return; with 1 for every state it is a sum that grows exactly if some state's value does, so that policies which
attain its maximum are the ones that are optimal in every state.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from policycliff.cliffs.phases.envelope import Point, Vector, value_at
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import ExactMDP, Rationals, make_exact, rational
from policycliff.values.operator import UNIT_ROUNDOFF, amplification
from policycliff.values.solve import solve, tight_tolerance

REMEMBERED = 256
# Gains below so many times the error of a vector are taken for rounding.
NOISE = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A policy (one pair a state) with its vector; each entry is off by at most `error`.

    `columns` are its advantages under each corner as fractions, over pairs, and `floats` the same rounded (pairs, n);
    None and empty in float arithmetic.
    """

    best: tuple[int, ...]
    vector: Vector
    error: float
    columns: tuple[Rationals, ...] = ()
    floats: Float64[np.ndarray, "pairs corners"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """An upper bound on what any policy attains at a point, and a policy; None where it cannot exceed the level."""

    candidate: Candidate | None
    upper: fmpq


@dataclass(frozen=True, slots=True, eq=False)
class ExactOptima:
    """Optima in fractions."""

    mdp: MDP
    exact: ExactMDP
    rewards: list[Rationals]
    rough: Float64[np.ndarray, "corners pairs"]
    start: list[fmpq]
    seen: OrderedDict[tuple[int, ...], Candidate] = field(default_factory=OrderedDict)

    def first(self, point: Point) -> Candidate:
        """A policy that is optimal in every state at a point."""
        return self.optimal(point, None)

    def beyond(self, point: Point, hint: Candidate, level: fmpq) -> Optimum:
        """The optimum at a point, without error."""
        if self._improve(hint, point) is None:
            return Optimum(None, level)
        guess = self._guess(point, hint)
        if self.mdp.order is not None:
            # One reward instead of n, which pays where no linear system is solved.
            mixed = [
                sum((share * reward[pair] for share, reward in zip(point, self.rewards, strict=True) if share), fmpq(0))
                for pair in range(self.mdp.n_pairs)
            ]
            best, values, _ = self.exact.optimise(mixed, guess)
            top = sum((weight * value for weight, value in zip(self.start, values, strict=True) if weight), fmpq(0))
            return Optimum(None if top == level else self._evaluate(tuple(best)), top)
        candidate = self._iterate(point, guess)
        top = value_at(candidate.vector, point)
        return Optimum(None if top == level else candidate, top)

    def optimal(self, point: Point, hint: Candidate | None) -> Candidate:
        """A policy that is optimal in every state at a point: the hint if it is."""
        if hint is not None and self._improve(hint, point) is None:
            return hint
        return self._iterate(point, self._guess(point, hint))

    def zero(self, candidate: Candidate, point: Point) -> list[bool]:
        """Over pairs: whether the advantage is 0; the optimal sets where the policy is optimal in every state."""
        rough, error = self._rough(candidate, point)
        return [
            abs(score) <= slack and _mixed(candidate.columns, point, pair) == 0
            for pair, (score, slack) in enumerate(zip(rough.tolist(), error.tolist(), strict=True))
        ]

    def _iterate(self, point: Point, guess: tuple[int, ...]) -> Candidate:
        """Policy iteration."""
        better: tuple[int, ...] | None = guess
        candidate = self._evaluate(guess)
        while better is not None:
            candidate = self._evaluate(better)
            better = self._improve(candidate, point)
        return candidate

    def _guess(self, point: Point, hint: Candidate | None) -> tuple[int, ...]:
        """A policy that is optimal up to rounding and keeps what it can of the hint."""
        mdp = self.mdp
        q = solve(mdp.with_rewards(_float(point) @ self.rough), tolerance=1e-11).q_values
        top = np.maximum.reduceat(q, mdp.offsets[:-1])
        scores = q.copy()
        if hint is not None:
            kept = np.array(hint.best)
            near = q[kept] >= top - 1e-9 * (1.0 + np.abs(top))
            scores[kept[near]] = np.inf
        return tuple(first_maximum(mdp, scores).tolist())

    def _evaluate(self, best: tuple[int, ...]) -> Candidate:
        if best in self.seen:
            self.seen.move_to_end(best)
            return self.seen[best]
        values = self.exact.values(best, self.rewards)
        owners = self.mdp.pair_states.tolist()
        columns = []
        for value, reward in zip(values, self.rewards, strict=True):
            q = self.exact.q_values(value, reward)
            columns.append([entry - value[state] for entry, state in zip(q, owners, strict=True)])
        vector = tuple(
            sum((weight * v for weight, v in zip(self.start, value, strict=True) if weight), fmpq(0))
            for value in values
        )
        floats = np.array([[float(entry) for entry in column] for column in columns]).T
        found = Candidate(best, vector, 0.0, tuple(columns), frozen(floats))
        self.seen[best] = found
        if len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)
        return found

    def _improve(self, candidate: Candidate, point: Point) -> tuple[int, ...] | None:
        """The best pair of every state in which the policy is not greedy; None if it is optimal."""
        rough, error = self._rough(candidate, point)
        owners = self.mdp.pair_states
        best = list(candidate.best)
        gains: dict[int, fmpq] = {}
        for pair in np.flatnonzero(rough >= -error).tolist():
            gain = _mixed(candidate.columns, point, pair)
            state = int(owners[pair])
            if gain > gains.get(state, fmpq(0)):
                gains[state] = gain
                best[state] = pair
        return tuple(best) if gains else None

    def _rough(
        self, candidate: Candidate, point: Point
    ) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
        """Mixed advantages in floats, with bounds on their errors."""
        if candidate.floats is None:
            raise TypeError("a policy without advantages")
        shares = _float(point)
        return candidate.floats @ shares, 2.0**-48 * (np.abs(candidate.floats) @ shares)


@dataclass(frozen=True, slots=True, eq=False)
class FloatOptima:
    """Optima in floats: the vector is what was computed, and `error` and `upper` are proven."""

    mdp: MDP
    rewards: Float64[np.ndarray, "corners pairs"]
    start: Float64[np.ndarray, " states"]
    amplification: float
    seen: dict[bytes, Candidate] = field(default_factory=dict)

    def first(self, point: Point) -> Candidate:
        """A policy that is optimal at a point up to the solver's error."""
        return self._evaluate(self._solve(point)[0])

    def beyond(self, point: Point, hint: Candidate, level: fmpq) -> Optimum:
        """The optimum at a point up to the solver's error."""
        best, upper = self._solve(point)
        return Optimum(None if upper - level <= rational(NOISE * hint.error) else self._evaluate(best), upper)

    def _solve(self, point: Point) -> tuple[Int64[np.ndarray, " states"], fmpq]:
        shares, mdp = _float(point), self.mdp
        mixed = shares @ self.rewards
        solution = solve(mdp.with_rewards(mixed), tolerance=tight_tolerance(mixed))
        # The shares are rounded, and so is the mixture.
        formed = (len(shares) + 3.0) * UNIT_ROUNDOFF * float((shares @ np.abs(self.rewards)).max(initial=0.0))
        error = solution.error_bound + formed * self.amplification
        top, weight = _dot(self.start, solution.values)
        upper = top + (weight + error * float(self.start.sum())) * (1.0 + 1e-15)
        return np.flatnonzero(solution.policy), rational(np.nextafter(upper, np.inf))

    def _evaluate(self, best: Int64[np.ndarray, " states"]) -> Candidate:
        key = best.tobytes()
        if key not in self.seen:
            policy = np.zeros(self.mdp.n_pairs)
            policy[best] = 1.0
            entries, errors = [], []
            for reward in self.rewards:
                found = evaluate(self.mdp, frozen(policy), rewards=reward)
                value, rounding = _dot(self.start, found.values)
                entries.append(rational(value))
                errors.append((found.error_bound * float(self.start.sum()) + rounding) * (1.0 + 1e-15))
            self.seen[key] = Candidate(tuple(best.tolist()), tuple(entries), max(errors))
        return self.seen[key]


Optima = ExactOptima | FloatOptima


def make_exact_optima(
    mdp: MDP, rewards: list[Rationals], rough: Float64[np.ndarray, "corners pairs"], start: Sequence[float]
) -> ExactOptima:
    """Optima in fractions.

    Raises:
        InvalidInputError: the MDP is too large (see `make_exact`).
    """
    return ExactOptima(mdp, make_exact(mdp), rewards, rough, [rational(weight) for weight in start])


def make_float_optima(
    mdp: MDP, rewards: Float64[np.ndarray, "corners pairs"], start: Float64[np.ndarray, " states"]
) -> FloatOptima:
    """Optima in floats."""
    return FloatOptima(mdp, rewards, start, amplification(mdp))


def first_maximum(mdp: MDP, scores: Float64[np.ndarray, " pairs"]) -> Int64[np.ndarray, " states"]:
    """(states,) the first pair of largest score in each state."""
    top = np.maximum.reduceat(scores, mdp.offsets[:-1])[mdp.pair_states]
    chosen = np.flatnonzero(scores == top)
    owners = mdp.pair_states[chosen]
    return np.asarray(chosen[np.searchsorted(owners, np.arange(mdp.n_states))])


def _mixed(columns: tuple[Rationals, ...], point: Point, pair: int) -> fmpq:
    return sum((share * column[pair] for share, column in zip(point, columns, strict=True) if share), fmpq(0))


def _float(point: Point) -> Float64[np.ndarray, " corners"]:
    return np.array([float(share) for share in point])


def _dot(weights: Float64[np.ndarray, " states"], values: Float64[np.ndarray, " states"]) -> tuple[float, float]:
    """A weighted sum and a bound on its rounding."""
    size = float(weights @ np.abs(values))
    return float(weights @ values), (values.size + 2.0) * UNIT_ROUNDOFF * size * (1.0 + 1e-9)
