"""Design without a matrix to factorise: where every reward may change, only V is unknown.

Given any V, each pair has a smallest change that fulfils its demand: -y on the target's pairs, -max(y, 0) on the
others, y = R + margin + gamma P V - V. So the task is the convex, unconstrained min over V of the norm of these
numbers, and *every* V gives a change that fulfils the demands. For the 2-norm the square is differentiable and L-BFGS
ends at rounding. The sup norm is smoothed as mu log sum exp(./mu), the 1-norm by Huber's function, and mu falls in
steps, each from the V of the one before. The derivatives in y are the multipliers from which `certificates` gets a
lower bound, so a coarse end is seen as a wide bracket.

Cost: some thousand products with the kernel. Source of the smoothing: Nesterov (2005).
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float64
from scipy.optimize import minimize

from policycliff.cliffs.design.programs import FOUND, Guess
from policycliff.cliffs.design.task import DesignTask

SMOOTHING = {
    "inf": (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5),
    "1": (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4),
    "2": (1.0,),
}
STEPS = 3000
MEMORY = 20

Vector = Float64[np.ndarray, " pairs"]
Smooth = Callable[[Vector, float], tuple[float, Vector]]


def descend(task: DesignTask, start: Float64[np.ndarray, " states"]) -> list[Guess]:
    """Guesses of growing accuracy, from the target's present values; for a task in which all pairs are free."""
    body, back = task.body, sp.csr_array(task.body.T)
    need = (task.mdp.rewards + task.margins) / task.scale
    smooth = _smooth(task)
    values, guesses = start / task.scale, []
    first = np.where(task.taken, np.abs(need + body @ values), np.maximum(need + body @ values, 0.0))
    unit = float(first[task.alive].max(initial=0.0)) if task.norm == "inf" else 1.0
    still = task.mdp.terminal

    def slope(multipliers: Vector) -> Float64[np.ndarray, " states"]:
        return np.where(still, 0.0, back @ multipliers)

    for share in SMOOTHING[task.norm]:
        mu = share * unit

        def objective(v: np.ndarray, mu: float = mu) -> tuple[float, np.ndarray]:
            height, multipliers = smooth(need + body @ v, mu)
            return height, slope(multipliers)

        found = minimize(
            objective,
            values,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxfun": 2 * STEPS, "maxcor": MEMORY, "ftol": 1e-15, "gtol": 1e-12},
        )
        values = np.where(still, 0.0, found.x)
        multipliers = smooth(need + body @ values, mu)[1]
        change = task.from_values(task.scale * values)
        guesses.append(Guess(FOUND, task.scale * values, change, None, multipliers, np.zeros(change.size)))
    return guesses


def _smooth(task: DesignTask) -> Smooth:
    """The smoothed norm of the smallest changes as a function of y, and its derivative."""
    taken, alive = task.taken, task.alive
    return {"inf": _soft_maximum, "1": _huber, "2": _half_square}[task.norm](taken, alive)


def _soft_maximum(taken: np.ndarray, alive: np.ndarray) -> Smooth:
    def smooth(y: Vector, mu: float) -> tuple[float, Vector]:
        both = np.concatenate([np.where(alive, y, -np.inf), -y[taken]])
        top = float(both.max(initial=0.0))
        weights = np.exp((both - top) / mu)
        total = float(weights.sum() + np.exp(-top / mu))
        result = weights[: y.size] / total
        result[taken] -= weights[y.size :] / total
        return top + mu * float(np.log(total)), result

    return smooth


def _huber(taken: np.ndarray, alive: np.ndarray) -> Smooth:
    def smooth(y: Vector, mu: float) -> tuple[float, Vector]:
        active = np.where(taken, y, np.maximum(y, 0.0)) * alive
        size = np.abs(active)
        height = np.where(size < mu, active**2 / (2.0 * mu), size - mu / 2.0)
        return float(height.sum()), np.clip(active / mu, -1.0, 1.0)

    return smooth


def _half_square(taken: np.ndarray, alive: np.ndarray) -> Smooth:
    def smooth(y: Vector, mu: float) -> tuple[float, Vector]:
        active = np.where(taken, y, np.maximum(y, 0.0)) * alive
        return 0.5 * float(active @ active) / mu, active / mu

    return smooth
