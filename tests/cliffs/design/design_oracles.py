"""The least change by other means: dense inverses, one row a pair, simplex or SLSQP; and margins in fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
from core_oracles import dense, exact_policy_values
from scipy.optimize import linprog, minimize


def indicator(mdp, choice):
    policy = np.zeros(mdp.n_pairs)
    policy[list(choice)] = 1.0
    return policy


def some_target(mdp, rng):
    return indicator(mdp, mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets)))


def advantage_rows(mdp, choice):
    """Rivals and the coefficients of their advantages under a deterministic policy, 0 at terminal states."""
    kernel, owners, eye = dense(mdp), mdp.pair_states, np.eye(mdp.n_states)
    inverse = np.linalg.inv(eye - mdp.gamma * kernel[choice])
    rivals = [p for p in range(mdp.n_pairs) if p not in choice and not mdp.terminal[owners[p]]]
    rows = np.zeros((len(rivals), mdp.n_pairs))
    for row, pair in zip(rows, rivals, strict=True):
        row[choice] = (mdp.gamma * kernel[pair] - eye[owners[pair]]) @ inverse
        row[pair] += 1.0
    return rivals, rows * ~mdp.terminal[owners]


def least_size(mdp, choice, *, margins, norm, directions=None, measured=None):
    """min ||measured z|| with c . (R + directions z) <= -margins; inf where nothing does it."""
    _, rows = advantage_rows(mdp, choice)
    free = ~mdp.terminal[mdp.pair_states]
    directions = np.eye(mdp.n_pairs)[:, free] if directions is None else directions
    measured = np.eye(directions.shape[1]) if measured is None else measured
    right, matrix = -margins - rows @ mdp.rewards, rows @ directions
    if not len(rows) or not directions.shape[1]:
        return 0.0 if (right >= -1e-12).all() else np.inf
    return _quadratic(matrix, right, measured) if norm == "2" else _linear(matrix, right, measured, norm)


def _linear(matrix, right, measured, norm):
    size = len(measured)
    bounds = np.ones((size, 1)) if norm == "inf" else np.eye(size)
    below = np.block([[matrix, np.zeros((len(matrix), bounds.shape[1]))], [measured, -bounds], [-measured, -bounds]])
    cost = np.concatenate([np.zeros(matrix.shape[1]), np.ones(bounds.shape[1])])
    found = linprog(cost, below, np.concatenate([right, np.zeros(2 * size)]), bounds=(None, None), method="highs-ds")
    return found.fun if found.status == 0 else np.inf


def _quadratic(matrix, right, measured):
    start = linprog(np.zeros(matrix.shape[1]), matrix, right, bounds=(None, None))
    if start.status != 0:
        return np.inf
    hessian = measured.T @ measured
    found = minimize(
        lambda z: 0.5 * z @ hessian @ z,
        start.x,
        jac=lambda z: hessian @ z,
        constraints={"type": "ineq", "fun": lambda z: right - matrix @ z, "jac": lambda _: -matrix},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return float(np.sqrt(2.0 * found.fun))


def exact_advantages(mdp, choice, rewards=None):
    """Advantages of all pairs under a deterministic policy, in fractions."""
    world = mdp if rewards is None else mdp.with_rewards(rewards)
    values, kernel = exact_policy_values(world, choice), dense(world)
    return [
        Fraction(world.rewards[pair])
        + Fraction(world.gamma) * sum((Fraction(p) * v for p, v in zip(kernel[pair], values, strict=True)), Fraction(0))
        - values[world.pair_states[pair]]
        for pair in range(world.n_pairs)
    ]


def exact_margin(mdp, target, rewards=None):
    """Smallest V - Q of other pairs under the target, in fractions (None without another pair)."""
    choice = np.flatnonzero(target).tolist()
    advantages = exact_advantages(mdp, choice, rewards)
    return min((-advantages[pair] for pair in set(range(mdp.n_pairs)) - set(choice)), default=None)


def reached(mdp, choice):
    """States that a deterministic policy visits from the initial distribution."""
    kernel, found = dense(mdp)[choice], mdp.initial > 0.0
    for _ in range(mdp.n_states if mdp.gamma > 0.0 else 0):
        found = found | (found @ kernel > 0.0)
    return found


def completions(mdp, choice, counts):
    """All deterministic policies that agree with the choice in the states that count."""
    spans = zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True)
    options = [[pair] if here else list(range(a, b)) for pair, here, (a, b) in zip(choice, counts, spans, strict=True)]
    return [list(option) for option in product(*options)]


def least_reached_size(mdp, choice, *, margin, norm):
    """Least change for optimality in reached states only: over every way to go on elsewhere."""
    counts, best = reached(mdp, choice), np.inf
    for other in completions(mdp, choice, counts):
        rivals, _ = advantage_rows(mdp, other)
        margins = np.where(counts[mdp.pair_states[rivals]], margin, 0.0) if rivals else np.zeros(0)
        best = min(best, least_size(mdp, other, margins=margins, norm=norm))
    return best
