"""The sup norm modulo potential shaping: min over Phi of ||r1 - r2 - (gamma P Phi - Phi)||_inf.

Phi is 0 at terminal states, whose rewards are frozen. Shaping moves no advantage, so the optimal policy of r1 stays
optimal for r2 wherever this distance is below the stability radius of r1: a sharper test than the sup norm, which it
never exceeds. It is the norm of the quotient space, hence a pseudometric, blind to shaping and to nothing else.

A linear program, solved by HiGHS, again for what is left of r1 - r2 where the gap is wide. Its dual is max d . y over
signed measures y on pairs with ||y||_1 <= 1 and y (gamma P - E) = 0: differences of discounted visits. Neither answer
is taken on trust. Upwards: any Phi bounds the distance from above, once its norm is evaluated. Downwards: the dual
answer is made feasible by adding flow along one policy, x (I - gamma P_pi) = what is missing, and what rounding leaves
over moves y by at most its 1-norm times the horizon. The distance lies between the two; the error bound is the gap.

Cost: one sparse linear program with S + 1 variables and 2 rows a pair (seconds at 3000 states without structure).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.rewards.distances.forms import UNDERFLOW, UNIT_ROUNDOFF
from policycliff.rewards.distances.result import CERTIFIED, UNRESOLVED
from policycliff.rewards.distances.starc import shaping_matrix
from policycliff.shapes import Float64
from policycliff.values.chain import deterministic_chain
from policycliff.values.left_solve import make_left_solver

# Beyond so many potentials the interior point method is several times faster than the simplex method.
SIMPLEX_LIMIT = 200
ROUNDS = 3
ENOUGH = 1e-9

Pairs = Float64[np.ndarray, " pairs"]


def shaping_distance(
    mdp: MDP, difference: Pairs, *, error: float
) -> tuple[float, float, str, Float64[np.ndarray, " states"]]:
    """(upper end, its distance to the lower end, status, potential); `error` bounds the error of the difference."""
    alive = np.flatnonzero(~mdp.terminal[mdp.pair_states])
    d, matrix = difference[alive], shaping_matrix(mdp)
    best = _evaluated(mdp, matrix, d, np.zeros(matrix.shape[1]))
    low, status = 0.0, CERTIFIED
    for _ in range(ROUNDS):
        if best.upper - low <= ENOUGH * best.upper or best.value <= best.rounding:
            break
        # What is left of d is as far from shaping as d, and smaller: the solver's tolerance shrinks with it.
        step, measure = _solve(matrix, best.rest / best.value)
        if step is None or measure is None:
            status = UNRESOLVED if low == 0.0 else CERTIFIED
            break
        low = max(low, _lower(mdp, matrix, best.rest, measure, alive) - best.rounding)
        found = _evaluated(mdp, matrix, d, best.potential + best.value * step)
        if found.upper >= best.upper:
            break
        best = found
    potential = np.zeros(mdp.n_states)
    potential[~mdp.terminal] = best.potential
    return best.value, max(best.upper - low, 0.0) + error, status, frozen(potential)


@dataclass(frozen=True, slots=True, eq=False)
class _Shaped:
    """A potential, d - B potential as computed, a bound on its rounding, and its sup norm."""

    potential: Float64[np.ndarray, " free"]
    rest: Pairs
    rounding: float
    value: float

    @property
    def upper(self) -> float:
        """A number that the distance does not exceed."""
        return self.value + self.rounding


def _evaluated(mdp: MDP, matrix: sp.csr_array, d: Pairs, potential: Float64[np.ndarray, " free"]) -> _Shaped:
    """What is left, d - B potential, with its rounding; exact for the potential 0."""
    if not potential.any():
        return _Shaped(potential, d, 0.0, float(np.abs(d).max(initial=0.0)))
    longest = float(np.diff(mdp.indptr).max()) + 5.0
    sizes = np.abs(d) + abs(matrix) @ np.abs(potential)
    rest = np.asarray(d - matrix @ potential)
    rounding = float(longest * UNIT_ROUNDOFF * sizes.max()) + UNDERFLOW
    return _Shaped(potential, rest, rounding, float(np.abs(rest).max()))


def _solve(matrix: sp.csr_array, d: Pairs) -> tuple[Float64[np.ndarray, " free"] | None, Pairs | None]:
    """Potential and dual measure of min t, -t <= d - B Phi <= t; None where HiGHS gives up."""
    n, free = matrix.shape
    bound = sp.csr_array(np.ones((n, 1)))
    rows = sp.vstack([sp.hstack([-matrix, -bound]), sp.hstack([matrix, -bound])], format="csr")
    program: Any = linprog  # Its stubs know no sparse matrices.
    found = program(
        np.append(np.zeros(free), 1.0),
        A_ub=rows,
        b_ub=np.concatenate([-d, d]),
        bounds=[(None, None)] * free + [(0.0, None)],
        method="highs" if free <= SIMPLEX_LIMIT else "highs-ipm",
    )
    if found.status != 0:
        return None, None
    duals = -np.asarray(found.ineqlin.marginals)
    return np.asarray(found.x[:free]), duals[:n] - duals[n:]


def _lower(mdp: MDP, matrix: sp.csr_array, d: Pairs, measure: Pairs, alive: np.ndarray) -> float:
    """A proven lower bound: d . y / ||y||_1 for a y that is feasible but for what rounding leaves."""
    pairs = np.zeros(mdp.n_pairs)
    pairs[alive] = measure
    # Flow is added along the pairs that carry most of the measure already.
    best = _heaviest(mdp, np.abs(pairs))
    solver = make_left_solver(mdp, deterministic_chain(mdp, best))
    missing = np.zeros(mdp.n_states)
    missing[~mdp.terminal] = matrix.T @ measure
    flow, _ = solver.solve(missing)
    flow[mdp.terminal] = 0.0
    pairs[best] += flow
    repaired = pairs[alive]
    left = np.abs(matrix.T @ repaired)
    counts = float(np.diff(matrix.tocsc().indptr).max(initial=0)) + 6.0
    rounding = counts * UNIT_ROUNDOFF * (abs(matrix).T @ np.abs(repaired))
    moved = float((left + rounding).sum()) * solver.amplification * (1.0 + 1e-9)
    mass = float(np.abs(repaired).sum())
    if mass == 0.0:
        return 0.0
    gain = float(d @ repaired) - (repaired.size + 2.0) * UNIT_ROUNDOFF * float(np.abs(d) @ np.abs(repaired)) - UNDERFLOW
    low = (gain - float(np.abs(d).max()) * moved) / ((mass + moved) * (1.0 + 1e-12))
    return max(low, 0.0) if np.isfinite(low) else 0.0


def _heaviest(mdp: MDP, weights: Pairs) -> np.ndarray:
    """The first pair of largest weight in each state."""
    top = np.maximum.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states]
    found = np.flatnonzero(weights == top)
    return np.asarray(found[np.unique(mdp.pair_states[found], return_index=True)[1]], dtype=np.int64)
