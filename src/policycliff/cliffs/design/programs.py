"""Design as a sparse program in V and the change: linear (HiGHS) for the sup and the 1-norm, quadratic (Clarabel) for
the 2-norm.

Nothing is inverted: the matrix is as sparse as the kernel. What comes back is a guess at the best change and at the
multipliers of the demands; `certificates` proves what they are worth, whatever the solver's tolerances were. These are
absolute, so the program is about the change of V, in units of the largest demand that is not met.

Cost: simplex up to a few hundred states, interior points beyond. Both factorise; on kernels without structure the
factors fill in, and some thousand states are the limit (`descent` and `saddle` have none).
"""

from dataclasses import dataclass
from typing import Any

import clarabel
import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from policycliff.cliffs.design.certificates import continuation
from policycliff.cliffs.design.task import DesignTask
from policycliff.shapes import Float64, Int64
from policycliff.values.evaluation import evaluate

SIMPLEX_LIMIT = 300
SMALLEST_UNIT = 1e-9
FOUND, IMPOSSIBLE, STOPPED = "found", "impossible", "stopped"


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """What a solver found.

    Attributes:
        status: "found", "impossible" (it says so) or "stopped".
        values: (states,) V.
        change: (pairs,) D.
        coefficients: (features,) or None.
        multipliers: (pairs,) of the demands.
        weights: (pairs,) multipliers of the norm of the change; 0 where there are none.
    """

    status: str
    values: Float64[np.ndarray, " states"]
    change: Float64[np.ndarray, " pairs"]
    coefficients: Float64[np.ndarray, " features"] | None
    multipliers: Float64[np.ndarray, " pairs"]
    weights: Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """The demands as rows over pairs in (V - base, z), all in `unit`; which pairs demand <= and which =."""

    matrix: sp.csr_array
    right: Float64[np.ndarray, " pairs"]
    below: Int64[np.ndarray, " below"]
    equal: Int64[np.ndarray, " equal"]
    base: Float64[np.ndarray, " states"]
    unit: float


def no_guess(task: DesignTask, status: str) -> Guess:
    """A guess without content."""
    nothing = np.zeros(task.mdp.n_pairs)
    return Guess(status, np.zeros(task.mdp.n_states), nothing, None, nothing, nothing)


def sparse_program(task: DesignTask) -> Guess:
    """The best change in the task's norm."""
    return _quadratic(task) if task.norm == "2" else _linear(task)


def _linear(task: DesignTask) -> Guess:
    """Variables V, z, t: one t for the sup norm, one an entry for the 1-norm."""
    program, measured = _program(task), task.measured
    matrix, below, equal = program.matrix, program.below, program.equal
    rows, size = measured.shape
    bounds = sp.csr_array(np.ones((rows, 1))) if task.norm == "inf" else sp.eye_array(rows, format="csr")
    blank = sp.csr_array((rows, matrix.shape[1] - size))
    above = sp.hstack([blank, measured, -bounds], format="csr")
    under = sp.hstack([blank, -measured, -bounds], format="csr")
    wide = sp.hstack([matrix, sp.csr_array((matrix.shape[0], bounds.shape[1]))], format="csr")
    found = _highs(
        np.concatenate([np.zeros(matrix.shape[1]), np.ones(bounds.shape[1])]),
        (sp.vstack([wide[below], above, under], format="csr"), np.pad(program.right[below], (0, 2 * rows))),
        (wide[equal], program.right[equal]),
        # Where nothing may change no row holds t up.
        np.pad(np.full(matrix.shape[1], -np.inf), (0, bounds.shape[1]), constant_values=-np.inf if rows else 0.0),
    )
    if found.status != 0:
        return no_guess(task, IMPOSSIBLE if found.status == 2 else STOPPED)
    marginals = -np.asarray(found.ineqlin.marginals)
    above_of, under_of = np.split(marginals[below.size :], 2)
    weights = under_of - above_of if rows == task.mdp.n_pairs else np.zeros(task.mdp.n_pairs)
    multipliers = _over_pairs(program, marginals[: below.size], -np.asarray(found.eqlin.marginals))
    return _guess(task, program, found.x, multipliers, weights)


def least_violation(task: DesignTask) -> Guess:
    """The change that misses the margin by least, whatever its size: the multipliers say which demands collide."""
    program = _program(task)
    matrix, below, equal = program.matrix, program.below, program.equal
    columns = matrix.shape[1]
    relaxed = sp.csr_array(-task.rivals[below].astype(np.float64)[:, None])
    found = _highs(
        np.concatenate([np.zeros(columns), [1.0]]),
        (sp.hstack([matrix[below], relaxed], format="csr"), program.right[below]),
        (sp.hstack([matrix[equal], sp.csr_array((equal.size, 1))], format="csr"), program.right[equal]),
        np.concatenate([np.full(columns, -np.inf), [0.0]]),
    )
    if found.status != 0:
        return no_guess(task, STOPPED)
    multipliers = _over_pairs(program, -np.asarray(found.ineqlin.marginals), -np.asarray(found.eqlin.marginals))
    return _guess(task, program, found.x[:-1], multipliers, np.zeros(task.mdp.n_pairs))


def _quadratic(task: DesignTask) -> Guess:
    """Least ||N z||^2 / 2 under the demands."""
    program, measured = _program(task), task.measured
    blank = program.matrix.shape[1] - measured.shape[1]
    hessian = sp.block_diag([sp.csc_array((blank, blank)), measured.T @ measured], format="csc")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    solver = clarabel.DefaultSolver(
        sp.csc_matrix(sp.triu(hessian)),
        np.zeros(program.matrix.shape[1]),
        sp.csc_matrix(sp.vstack([program.matrix[program.equal], program.matrix[program.below]])),
        np.concatenate([program.right[program.equal], program.right[program.below]]),
        [clarabel.ZeroConeT(program.equal.size), clarabel.NonnegativeConeT(program.below.size)],
        settings,
    )
    found = solver.solve()
    status = str(found.status)
    if "Solved" not in status:
        return no_guess(task, IMPOSSIBLE if "PrimalInfeasible" in status else STOPPED)
    of_equal, of_below = np.split(np.array(found.z), [program.equal.size])
    multipliers = _over_pairs(program, of_below, of_equal)
    return _guess(task, program, np.array(found.x), multipliers, np.zeros(task.mdp.n_pairs))


def _program(task: DesignTask) -> _Program:
    mdp = task.mdp
    base = evaluate(mdp, continuation(task, np.zeros(mdp.n_pairs))).values
    unmet = mdp.rewards + task.margins + task.body @ base
    below = task.rivals | task.loose
    largest = float(np.where(below, unmet, np.where(task.taken, np.abs(unmet), 0.0)).max(initial=0.0))
    unit = max(largest, SMALLEST_UNIT * task.scale)
    return _Program(
        matrix=sp.hstack([task.body[:, np.flatnonzero(~mdp.terminal)], task.directions], format="csr"),
        right=-unmet / unit,
        below=np.flatnonzero(below),
        equal=np.flatnonzero(task.taken),
        base=base,
        unit=unit,
    )


def _highs(
    cost: np.ndarray,
    below: tuple[sp.csr_array, np.ndarray],
    equal: tuple[sp.csr_array, np.ndarray],
    least: np.ndarray,
) -> Any:
    program: Any = linprog  # Its stubs know no sparse matrices.
    return program(
        cost,
        A_ub=below[0],
        b_ub=below[1],
        A_eq=equal[0],
        b_eq=equal[1],
        bounds=np.column_stack([least, np.full(cost.size, np.inf)]),
        method="highs" if equal[1].size <= SIMPLEX_LIMIT else "highs-ipm",
    )


def _over_pairs(program: _Program, of_below: np.ndarray, of_equal: np.ndarray) -> Float64[np.ndarray, " pairs"]:
    result = np.zeros(program.right.size)
    result[program.below], result[program.equal] = of_below, of_equal
    return result


def _guess(
    task: DesignTask, program: _Program, found: np.ndarray, multipliers: np.ndarray, weights: np.ndarray
) -> Guess:
    alive = np.flatnonzero(~task.mdp.terminal)
    values = program.base.copy()
    values[alive] += program.unit * found[: alive.size]
    z = program.unit * found[alive.size : alive.size + task.directions.shape[1]]
    if task.features is None:
        return Guess(FOUND, values, task.from_values(values), None, multipliers, weights)
    return Guess(FOUND, values, np.asarray(task.directions @ z), z, multipliers, weights)
