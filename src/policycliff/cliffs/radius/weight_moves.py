"""The cheapest change of mixture weights that gains a given amount: min ||delta|| with c . delta >= target.

delta is taken from the polytope {sum delta = 0, w + delta >= 0} of each block; constant weights are one block of K,
weights (K, S) are one block a state, and then the norm is the largest of the blocks' norms. For a budget t the most
that can be gained, gain(t), is concave and found by sorting:

norm "inf"  |delta_k| <= t: start from delta_k = -min(w_k, t) and hand out what is missing, largest c_k first, up to t
each.
norm "1"    ||delta||_1 <= t: move weight t / 2 to the largest c, smallest c_k first, at most w_k of each.

The least t with gain(t) >= target is bisected down to neighbouring floats: no solver tolerance enters. For norm "2"
(one block) the problem is a least-distance program, solved by non-negative least squares (Lawson and Hanson 1974,
chapter 23); its multipliers u give the lower bound h . u / ||G' u||, and its solution, mended to be feasible, the
upper one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import nnls

from policycliff.shapes import Float64

Block = Float64[np.ndarray, "blocks components"]

BISECTIONS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """The least norm lies in [low, high]; `delta` is feasible, attains the target and has norm `high`."""

    low: float
    high: float
    delta: Block


def potential(coefficients: Block, weights: Block) -> float:
    """The most that any allowed change gains: all weight on the largest coefficient of each block."""
    return float((weights * (coefficients.max(axis=1, keepdims=True) - coefficients)).sum())


def cheapest_move(coefficients: Block, weights: Block, *, target: float, norm: str) -> Move:
    """The cheapest change that gains `target` (positive; at most the potential, or the potential is taken instead)."""
    goal = min(target, potential(coefficients, weights))
    if norm == "2":
        return _euclidean(coefficients, weights, goal)
    return _bisect(coefficients, weights, goal, norm=norm)


def dual_norm(coefficients: Float64[np.ndarray, "... components"], norm: str) -> Float64[np.ndarray, "..."]:
    """The most that a change of norm 1 and sum 0 gains, if no weight were bounded."""
    if norm == "inf":
        return np.asarray(np.abs(coefficients - np.median(coefficients, axis=-1, keepdims=True)).sum(axis=-1))
    if norm == "1":
        return np.asarray(0.5 * np.ptp(coefficients, axis=-1))
    centred = coefficients - coefficients.mean(axis=-1, keepdims=True)
    return np.asarray(np.sqrt((centred**2).sum(axis=-1)))


def size(delta: Block, norm: str) -> float:
    """The norm of a change: the largest over blocks."""
    order = {"inf": np.inf, "1": 1, "2": 2}[norm]
    return float(np.linalg.norm(delta, ord=order, axis=1).max())


def best_change(coefficients: Block, weights: Block, *, budget: float, norm: str) -> Block:
    """The change of most gain within the budget (norms "inf" and "1")."""
    if norm == "inf":
        low = np.minimum(weights, budget)
        order = np.argsort(-coefficients, axis=1, kind="stable")
        room = np.take_along_axis(low + budget, order, axis=1)
        before = np.cumsum(room, axis=1) - room
        given = np.clip(low.sum(axis=1, keepdims=True) - before, 0.0, room)
        delta = -low
        np.put_along_axis(delta, order, np.take_along_axis(delta, order, axis=1) + given, axis=1)
        return delta
    order = np.argsort(coefficients, axis=1, kind="stable")
    stock = np.take_along_axis(weights, order, axis=1)
    before = np.cumsum(stock, axis=1) - stock
    taken = np.clip(0.5 * budget - before, 0.0, stock)
    delta = np.zeros_like(weights)
    np.put_along_axis(delta, order, -taken, axis=1)
    rows = np.arange(len(delta))
    delta[rows, order[:, -1]] += taken.sum(axis=1)
    return delta


def _gain(coefficients: Block, delta: Block) -> float:
    """The gain c . delta, centred so that what is common to a block does not round."""
    return float(((coefficients - coefficients.max(axis=1, keepdims=True)) * delta).sum())


def _bisect(coefficients: Block, weights: Block, goal: float, *, norm: str) -> Move:
    """Neighbouring budgets, one too small and one large enough."""
    low, high = 0.0, 2.0 * float(weights.sum(axis=1).max())
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if _gain(coefficients, best_change(coefficients, weights, budget=middle, norm=norm)) >= goal:
            high = middle
        else:
            low = middle
    return Move(low, high, best_change(coefficients, weights, budget=high, norm=norm))


def _euclidean(coefficients: Block, weights: Block, goal: float) -> Move:
    """One block: project the weights onto the changes that gain the goal."""
    c = coefficients[0] - coefficients[0].mean()
    scale = float(np.linalg.norm(c))
    basis = null_space(np.ones((1, c.size)))
    rows = np.vstack([basis, (c / scale) @ basis])
    right = np.append(-weights[0], goal / scale)
    unit = float(np.linalg.norm(right))
    system = np.vstack([rows.T, right / unit])
    multipliers, _ = nnls(system, np.append(np.zeros(basis.shape[1]), 1.0))
    residual = system @ multipliers
    residual[-1] -= 1.0
    delta = basis @ (-residual[:-1] / residual[-1]) * unit if residual[-1] < 0.0 else np.zeros(c.size)
    length = float(np.linalg.norm(rows.T @ multipliers))
    low = max(float(right @ multipliers) / length, 0.0) if length > 0.0 else 0.0
    mended = _mend(delta, coefficients[0], weights[0], goal)
    return Move(min(low, float(np.linalg.norm(mended))), float(np.linalg.norm(mended)), mended[None, :])


def _mend(
    delta: Float64[np.ndarray, " components"],
    coefficients: Float64[np.ndarray, " components"],
    weights: Float64[np.ndarray, " components"],
    goal: float,
) -> Float64[np.ndarray, " components"]:
    """A change near `delta` that is feasible and reaches the goal: blended with the move to the best vertex."""
    total = weights.sum()
    mixed = np.maximum(weights + delta, 0.0)
    mixed *= total / mixed.sum()
    change = mixed - weights
    vertex = -weights
    vertex[int(np.argmax(coefficients))] += total
    centred = coefficients - coefficients.max()
    short, most = goal - float(centred @ change), float(centred @ vertex) - float(centred @ change)
    blend = min(short / most, 1.0) if short > 0.0 and most > 0.0 else 0.0
    return np.asarray(change + blend * (vertex - change))
