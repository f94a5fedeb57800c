"""Design in the 2-norm without a matrix to factorise: where every reward may change, only V is unknown.

Given any V, each pair has a smallest change that fulfils its demand: -y on the target's pairs, -max(y, 0) on the
others, y = R + margin + gamma P V - V. So the task is the unconstrained min over V of half the sum of their squares,
convex and differentiable, and *every* V gives a change that fulfils the demands. L-BFGS ends at rounding after some
hundred products with the kernel; the smallest changes are then the multipliers themselves.
"""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from policycliff.cliffs.design.programs import FOUND, Guess
from policycliff.cliffs.design.task import DesignTask
from policycliff.shapes import Float64

STEPS = 10_000
MEMORY = 20


def descend(task: DesignTask, start: Float64[np.ndarray, " states"]) -> Guess:
    """The best change in the 2-norm, from these values; for a task in which all pairs are free."""
    body, back = task.body, sp.csr_array(task.body.T)
    unmet = (task.mdp.rewards + task.margins + body @ start) * task.alive
    taken, moves = task.taken, ~task.mdp.terminal
    unit = float(np.where(taken, np.abs(unmet), np.maximum(unmet, 0.0)).max(initial=0.0)) or 1.0
    unmet /= unit

    def changes(v: np.ndarray) -> np.ndarray:
        y = unmet + body @ v
        return np.where(taken, y, np.maximum(y, 0.0)) * task.alive

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        active = changes(v)
        return 0.5 * float(active @ active), (back @ active) * moves

    found = minimize(
        objective,
        np.zeros(start.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxfun": 2 * STEPS, "maxcor": MEMORY, "ftol": 1e-15, "gtol": 1e-12},
    )
    values = start + unit * found.x * moves
    return Guess(FOUND, values, task.from_values(values), None, changes(found.x), np.zeros(unmet.size))
