"""Exact rational mode: evaluation and policy iteration in fractions (python-flint), for small MDPs.

The stored float64 numbers are taken as the rationals they are, so what comes out is the optimum of the stored MDP
without any error: equal is equal. Values of a policy solve (I - gamma P) V = R, by back substitution where the MDP is
acyclic and by FLINT's fraction-free or p-adic solver elsewhere.

Cost: one solve a step of policy iteration, in numbers whose length grows with S; 0.5 s at 200 states without structure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat, fmpz

from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.shapes import Int64

EXACT_LIMIT = 200
EXACT_ACYCLIC_LIMIT = 20_000

Rationals = list[fmpq]
"""Fractions over states or over pairs."""


@dataclass(frozen=True, slots=True)
class ExactMDP:
    """An MDP with gamma P as fractions: `rows[pair]` lists (successor, gamma * probability)."""

    mdp: MDP
    rows: tuple[tuple[tuple[int, fmpq], ...], ...]

    def values(self, best: Sequence[int], rewards: Sequence[Rationals]) -> list[Rationals]:
        """Values over states of the policy that takes pair best[s] in state s, one list for each reward over pairs."""
        if self.mdp.order is not None:
            return [self._values_backward(best, reward) for reward in rewards]
        n = self.mdp.n_states
        matrix = fmpq_mat(n, n)
        for state, pair in enumerate(best):
            matrix[state, state] = 1
            for successor, weight in self.rows[pair]:
                matrix[state, successor] -= weight
        right = fmpq_mat(n, len(rewards), [reward[pair] for pair in best for reward in rewards])
        solution = matrix.solve(right)
        return [[solution[state, column] for state in range(n)] for column in range(len(rewards))]

    def q_values(self, values: Rationals, rewards: Rationals) -> Rationals:
        """R + gamma P V over pairs."""
        if self.mdp.order is not None:
            return [self.back_up(pair, values, rewards) for pair in range(self.mdp.n_pairs)]
        # Values of one linear system share a long denominator: taken out, sums need one reduction instead of many.
        common = fmpz(1)
        for value in values:
            common = common.lcm(value.q)
        scaled = [fmpq(value.p * (common // value.q)) for value in values]
        zeros = [fmpq(0)] * self.mdp.n_pairs
        sums = [self.back_up(pair, scaled, zeros) for pair in range(self.mdp.n_pairs)]
        return [reward + total / common for reward, total in zip(rewards, sums, strict=True)]

    def back_up(self, pair: int, values: Rationals, rewards: Rationals) -> fmpq:
        """R + gamma P V of one pair."""
        total = rewards[pair]
        for successor, weight in self.rows[pair]:
            total += weight * values[successor]
        return total

    def optimise(
        self, rewards: Rationals, start: Sequence[int], *, allowed: Sequence[bool] | None = None
    ) -> tuple[list[int], Rationals, Rationals]:
        """Policy iteration from the pairs `start`, among allowed pairs: (best pair of each state, values, Q-values).

        A state keeps its pair where that is one of the best.
        """
        best = list(start)
        while True:
            values = self.values(best, [rewards])[0]
            q = self.q_values(values, rewards)
            improved = [self._better(q, state, best[state], allowed) for state in range(self.mdp.n_states)]
            if improved == best:
                return best, values, q
            best = improved

    def _better(self, q: Rationals, state: int, current: int, allowed: Sequence[bool] | None) -> int:
        """The current pair if it is best, else the first best one."""
        first, last = int(self.mdp.offsets[state]), int(self.mdp.offsets[state + 1])
        pairs = [pair for pair in range(first, last) if allowed is None or allowed[pair]]
        top = max(q[pair] for pair in pairs)
        return current if q[current] == top else next(pair for pair in pairs if q[pair] == top)

    def _values_backward(self, best: Sequence[int], rewards: Rationals) -> Rationals:
        values = [fmpq(0)] * self.mdp.n_states
        for state in () if self.mdp.order is None else self.mdp.order.tolist():
            values[state] = self.back_up(best[state], values, rewards)
        return values


def make_exact(mdp: MDP) -> ExactMDP:
    """The MDP in fractions.

    Raises:
        InvalidInputError: more than 200 states (20,000 where the MDP is acyclic).
    """
    limit = EXACT_ACYCLIC_LIMIT if mdp.is_acyclic else EXACT_LIMIT
    if mdp.n_states > limit:
        raise fail(
            got=f"exact arithmetic for {mdp.n_states} states",
            expected=f"at most {EXACT_LIMIT}, or {EXACT_ACYCLIC_LIMIT} where the MDP is acyclic",
            remedy="Solve in floating point; error bounds are proven there too.",
        )
    gamma = rational(mdp.gamma)
    weights = [gamma * rational(p) for p in mdp.probabilities.tolist()]
    entries = list(zip(mdp.successors.tolist(), weights, strict=True))
    spans = zip(mdp.indptr[:-1].tolist(), mdp.indptr[1:].tolist(), strict=True)
    return ExactMDP(mdp, tuple(tuple(entries[first:last]) for first, last in spans))


def fits_exact(mdp: MDP) -> bool:
    """Whether `make_exact` takes an MDP of this size."""
    return mdp.n_states <= (EXACT_ACYCLIC_LIMIT if mdp.is_acyclic else EXACT_LIMIT)


def rational(number: float) -> fmpq:
    """The fraction that a float is.

    >>> rational(0.75)
    3/4
    """
    return fmpq(*float(number).as_integer_ratio())


def rationals(vector: np.ndarray) -> Rationals:
    """The fractions that the entries of a float vector are."""
    return [rational(entry) for entry in vector.tolist()]


def exact_q_values(mdp: MDP, start: Int64[np.ndarray, " states"]) -> Rationals:
    """Optimal Q-values as fractions, by policy iteration from the policy that takes pair start[s] in state s.

    Raises:
        InvalidInputError: the MDP is too large (see `make_exact`).
    """
    return make_exact(mdp).optimise(rationals(mdp.rewards), start.tolist())[2]
