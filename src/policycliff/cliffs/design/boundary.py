"""The distance from inside a cone to its boundary: the least -A(s, a) / ||c(s, a)||_q over pairs, rows solved lazily.

||c||_q <= ||c||_1 <= Q_u(s, a) + V_u(s), the values of the policy when every reward that may change is 1: with one
evaluation every pair has a lower bound, and a row is solved only while the next lower bound is below the best number
found. (For the sup norm that is the search of `stability_radius`; the 1-norm, whose dual is the largest coefficient,
has looser lower bounds and solves more rows.)
"""

from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.design.task import DUAL_ORDERS
from policycliff.cliffs.radius.resolvent import make_resolvent
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import UNIT_ROUNDOFF

ROUNDING = 2.0**-50

Vector = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The nearest face: its distance with proven bounds, its pair, and the change that leads to it."""

    distance: float
    bracket: tuple[float, float]
    pair: int
    change: Vector


def nearest_face(mdp: MDP, policy: Vector, norm: str) -> Face:
    """The nearest face of the cone of a deterministic policy that is uniquely optimal."""
    alive = ~mdp.terminal[mdp.pair_states]
    rivals = np.flatnonzero(alive & (policy == 0.0))
    best = np.flatnonzero(policy)
    gaps, error = _gaps(mdp, policy)
    floors = np.maximum(gaps - error, 0.0) / _largest_norms(mdp, policy, alive) * (1.0 - ROUNDING)
    resolvent = make_resolvent(mdp, best)
    low = high = np.inf
    face = Face(np.inf, (np.inf, np.inf), -1, np.zeros(mdp.n_pairs))
    for pair in rivals[np.argsort(floors[rivals], kind="stable")].tolist():
        if floors[pair] >= high:
            break
        row = resolvent.row(pair, int(mdp.pair_states[pair]))
        coefficients = np.zeros(mdp.n_pairs)
        coefficients[best] = np.where(mdp.terminal, 0.0, row.entries)
        coefficients[pair] = 1.0
        size = float(np.linalg.norm(coefficients, DUAL_ORDERS[norm]))
        low = min(low, max(gaps[pair] - error, 0.0) / (size + row.error) * (1.0 - ROUNDING))
        upper = (gaps[pair] + error) / max(size - row.error, 1.0) * (1.0 + ROUNDING)
        if upper < high:
            high, distance = float(upper), float(gaps[pair]) / size
            face = Face(distance, (0.0, high), pair, distance * _steepest(coefficients, norm))
    return Face(min(max(face.distance, low), high), (float(low), float(high)), face.pair, face.change)


def _gaps(mdp: MDP, policy: Vector) -> tuple[Vector, float]:
    found = evaluate(mdp, policy)
    size = float(np.abs(found.q_values).max() + np.abs(found.values).max())
    return -found.advantages(mdp), 2.0 * found.error_bound + 2.0 * UNIT_ROUNDOFF * size


def _largest_norms(mdp: MDP, policy: Vector, alive: np.ndarray) -> Vector:
    """(pairs,) upper bound on ||c||_1, at least 1."""
    values = evaluate(mdp, policy, rewards=alive.astype(np.float64), tolerance=1e-6)
    total = values.q_values + values.values[mdp.pair_states] + 2.0 * values.error_bound
    return np.maximum(total * (1.0 + 1e-15), 1.0)


def _steepest(coefficients: Vector, norm: str) -> Vector:
    """The change of norm 1 that raises the advantage most."""
    if norm == "2":
        return np.asarray(coefficients / np.linalg.norm(coefficients))
    if norm == "inf":
        return np.sign(coefficients)
    change = np.zeros_like(coefficients)
    top = int(np.argmax(np.abs(coefficients)))
    change[top] = np.sign(coefficients[top])
    return change
