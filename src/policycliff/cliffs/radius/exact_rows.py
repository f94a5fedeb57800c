"""The coefficients of an advantage and its rho as fractions: rho encloses no error, only its rounding to floats does.

row(s, a) = (gamma P(s, a, .) - e_s) M solves x (I - gamma P_pi) = gamma P(s, a, .) - e_s: one pass where the MDP is
acyclic, a rational linear system elsewhere. Cost: one such solve a pair.
"""

import math

from flint import fmpq, fmpq_mat

from policycliff.values.exact import ExactMDP, Rationals, rational

Interval = tuple[float, float]


def exact_row(exact: ExactMDP, best: list[int], *, pair: int, state: int) -> Rationals:
    """row(s, a) over states, in fractions."""
    right = [fmpq(0)] * exact.mdp.n_states
    right[state] -= 1
    for successor, weight in exact.rows[pair]:
        right[successor] += weight
    if exact.mdp.order is not None:
        for here in exact.mdp.order.tolist()[::-1]:
            if right[here] != 0:
                for successor, weight in exact.rows[best[here]]:
                    right[successor] += weight * right[here]
        return right
    n = exact.mdp.n_states
    system = fmpq_mat(n, n)
    for here in range(n):
        system[here, here] += 1
        for successor, weight in exact.rows[best[here]]:
            system[successor, here] -= weight
    solution = system.solve(fmpq_mat(n, 1, right))
    return [solution[here, 0] for here in range(n)]


def exact_size(row: Rationals, widths: Rationals, best: list[int], *, pair: int, norm: str) -> fmpq:
    """||u * d||_1, or for norm "2" the square of ||u * d||_2."""
    terms = [widths[pair], *(widths[taken] * entry for taken, entry in zip(best, row, strict=True))]
    if norm == "inf":
        return sum((abs(term) for term in terms), fmpq(0))
    return sum((term * term for term in terms), fmpq(0))


def exact_rho(gap: fmpq, size: fmpq, *, norm: str) -> Interval:
    """Neighbouring floats around gap / ||u * d||."""
    return enclose(gap / size) if norm == "inf" else enclose(gap * gap / size, root=True)


def enclose(fraction: fmpq, *, root: bool = False) -> Interval:
    """The nearest floats around a fraction of at least 0, or around its square root.

    >>> enclose(fmpq(1, 4)), enclose(fmpq(1, 4), root=True)
    ((0.25, 0.25), (0.5, 0.5))
    """
    start = math.sqrt(float(fraction)) if root else float(fraction)
    power = 2 if root else 1
    low = high = start
    while rational(low) ** power > fraction:
        low = math.nextafter(low, 0.0)
    while rational(high) ** power < fraction:
        high = math.nextafter(high, math.inf)
    return low, high
