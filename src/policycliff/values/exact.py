"""Exact rational mode: policy iteration in fractions, for small MDPs.

The stored float64 numbers are taken as the rationals they are, so the result is the optimum of the stored MDP without
any error. Cost: one Gaussian elimination of S x S fractions a step, whose numbers grow with S; meant for up to about
a hundred states.
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Int64

from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP

EXACT_LIMIT = 200


def exact_q_values(mdp: MDP, start: Int64[np.ndarray, " states"]) -> list[Fraction]:
    """Optimal Q-values as fractions, by policy iteration from the policy that takes pair start[s] in state s.

    Raises:
        InvalidInputError: more than 200 states.
    """
    if mdp.n_states > EXACT_LIMIT:
        raise fail(
            got=f"exact arithmetic for {mdp.n_states} states",
            expected=f"at most {EXACT_LIMIT}",
            remedy="Solve in floating point; error bounds are proven there too.",
        )
    best = [int(pair) for pair in start]
    while True:
        q = _q_of(mdp, _evaluate(mdp, best))
        improved = [_better(mdp, q, state, best[state]) for state in range(mdp.n_states)]
        if improved == best:
            return q
        best = improved


def _row(mdp: MDP, pair: int) -> dict[int, Fraction]:
    """One row of gamma P as fractions."""
    gamma, row = Fraction(mdp.gamma), dict[int, Fraction]()
    for k in range(mdp.indptr[pair], mdp.indptr[pair + 1]):
        state = int(mdp.successors[k])
        row[state] = row.get(state, Fraction(0)) + gamma * Fraction(float(mdp.probabilities[k]))
    return row


def _q_of(mdp: MDP, v: list[Fraction]) -> list[Fraction]:
    return [
        Fraction(float(mdp.rewards[pair])) + sum((p * v[s] for s, p in _row(mdp, pair).items()), Fraction(0))
        for pair in range(mdp.n_pairs)
    ]


def _better(mdp: MDP, q: list[Fraction], state: int, current: int) -> int:
    """The current pair if it is best, else the first best one."""
    pairs = range(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
    top = max(q[pair] for pair in pairs)
    return current if q[current] == top else next(pair for pair in pairs if q[pair] == top)


def _evaluate(mdp: MDP, best: list[int]) -> list[Fraction]:
    """Values of a policy: Gaussian elimination on (I - gamma P) v = r with sparse rows."""
    rows: list[dict[int, Fraction]] = []
    right = [Fraction(float(mdp.rewards[pair])) for pair in best]
    for state, pair in enumerate(best):
        row = {s: -p for s, p in _row(mdp, pair).items()}
        row[state] = row.get(state, Fraction(0)) + 1
        rows.append(row)
    for pivot in range(mdp.n_states):
        for state in range(pivot + 1, mdp.n_states):
            if pivot in rows[state]:
                _eliminate(rows, right, pivot, state)
    v = [Fraction(0)] * mdp.n_states
    for state in reversed(range(mdp.n_states)):
        known = sum((p * v[s] for s, p in rows[state].items() if s != state), Fraction(0))
        v[state] = (right[state] - known) / rows[state][state]
    return v


def _eliminate(rows: list[dict[int, Fraction]], right: list[Fraction], pivot: int, state: int) -> None:
    """Subtract the pivot row from a later row; pivots are positive because I - gamma P is an M-matrix."""
    factor = rows[state].pop(pivot) / rows[pivot][pivot]
    right[state] -= factor * right[pivot]
    for column, entry in rows[pivot].items():
        if column != pivot:
            rows[state][column] = rows[state].get(column, Fraction(0)) - factor * entry
