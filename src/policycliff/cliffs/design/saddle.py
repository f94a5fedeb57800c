"""Design in the sup and the 1-norm without a matrix to factorise: where every reward may change, only V is unknown.

As in `descent`, every V gives a change that fulfils the demands. With y(V) = R + margin + gamma P V - V the norm of the
smallest one is the largest lam . y(V) over multipliers lam that are at least 0 off the target's pairs and lie in the
unit ball of the dual norm: a saddle point of min over V, max over lam. The primal-dual method of Chambolle and Pock
(2011) finds it with two products with the kernel a step; restarts from averages and the balance of both step sizes, as
in Applegate et al. (2021), make it converge linearly. It ends at a relative gap of about 1e-4, or after 20,000 steps
with what it has; `certificates` turns the last multipliers into a proven bound.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from policycliff.cliffs.design.programs import FOUND, Guess
from policycliff.cliffs.design.task import DesignTask
from policycliff.shapes import Bool, Float64

STEPS = 20_000
CHECK = 200
CLOSE_ENOUGH = 5e-5
KEPT = 3

# A restart pays when the gap fell to the first share, or to the second and rises again, or after this share of all.
SUFFICIENT, NECESSARY, LONG = 0.2, 0.8, 0.36

States = Float64[np.ndarray, " states"]
Pairs = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class _Saddle:
    """The problem min over v, max over lam of lam . (unmet + body v), in units of the largest unmet demand."""

    task: DesignTask
    body: sp.csr_array
    back: sp.csr_array
    unmet: Pairs
    taken: Bool[np.ndarray, " pairs"]

    def height(self, v: States) -> float:
        """The norm of the smallest change at v."""
        y = self.unmet + self.body @ v
        active = np.where(self.taken, np.abs(y), np.maximum(y, 0.0))
        return float(active.max(initial=0.0) if self.task.norm == "inf" else active.sum())

    def depth(self, lam: Pairs, reach: float) -> float:
        """What lam proves about all v of at most this 2-norm."""
        return float(lam @ self.unmet) - reach * float(np.linalg.norm(self.back @ lam))

    def project(self, lam: Pairs) -> Pairs:
        """The nearest multipliers that are allowed."""
        signed = np.where(self.taken, lam, np.maximum(lam, 0.0))
        return np.clip(signed, -1.0, 1.0) if self.task.norm == "1" else _onto_simplex_ball(signed)


@dataclass(slots=True)
class _Course:
    """Where the method is: the point, the sums of its points since the last restart, and the balance of the steps."""

    v: States
    lam: Pairs
    v_sum: States
    lam_sum: Pairs
    v_start: States
    lam_start: Pairs
    balance: float
    steps: int = 0
    gap: float = np.inf
    previous: float = np.inf

    def restart(self, v: States, lam: Pairs, gap: float) -> None:
        """Go on from this point; the step sizes follow how far both parts have moved."""
        moved, turned = float(np.linalg.norm(v - self.v_start)), float(np.linalg.norm(lam - self.lam_start))
        if moved > 1e-12 and turned > 1e-12:
            self.balance = float(np.sqrt(self.balance * turned / moved))
        self.v, self.lam, self.v_start, self.lam_start = v, lam, v, lam
        self.v_sum, self.lam_sum = np.zeros_like(v), np.zeros_like(lam)
        self.steps, self.gap, self.previous = 0, gap, gap


def find_saddle(task: DesignTask, start: States) -> list[Guess]:
    """The last few restarts of the method, from these values; for a task in which all pairs are free."""
    body = sp.csr_array(task.body @ sp.diags_array((~task.mdp.terminal).astype(np.float64)))
    unmet = np.where(task.alive, task.mdp.rewards + task.margins + body @ start, 0.0)
    taken = task.taken
    unit = float(np.where(taken, np.abs(unmet), np.maximum(unmet, 0.0)).max(initial=0.0)) or 1.0
    problem = _Saddle(task, body, sp.csr_array(body.T), unmet / unit, taken)
    kept = _run(problem)[-KEPT:]
    return [_guess(task, start + unit * v, lam) for v, lam in kept]


def _run(problem: _Saddle) -> list[tuple[States, Pairs]]:
    """Points of falling gap, the best one last."""
    step = 0.95 / _norm(problem.body)
    n, m = problem.body.shape[1], problem.body.shape[0]
    balance = 0.1 / np.sqrt(n) if problem.task.norm == "inf" else 1.0
    v, lam = np.zeros(n), np.zeros(m)
    course = _Course(v, lam, np.zeros(n), np.zeros(m), v, lam, balance)
    kept: list[tuple[States, Pairs]] = [(v, lam)]
    least, best = np.inf, problem.height(v)
    for done in range(1, STEPS + 1):
        ahead = course.v - step / course.balance * (problem.back @ course.lam)
        rise = problem.unmet + problem.body @ (2.0 * ahead - course.v)
        course.lam = problem.project(course.lam + step * course.balance * rise)
        course.v = ahead
        course.v_sum += course.v
        course.lam_sum += course.lam
        course.steps += 1
        if done % CHECK:
            continue
        v, lam, gap, height = _better(problem, course)
        best = min(best, height)
        if gap < least:
            kept.append((v, lam))
            least = gap
        if least <= CLOSE_ENOUGH * best:
            break
        if _worth_a_restart(course, gap, done):
            course.restart(v, lam, gap)
        course.previous = gap
    return kept


def _better(problem: _Saddle, course: _Course) -> tuple[States, Pairs, float, float]:
    """The present point or the average, whichever has the smaller gap, with that and its height."""
    options = ((course.v, course.lam), (course.v_sum / course.steps, course.lam_sum / course.steps))
    found = []
    for v, lam in options:
        height = problem.height(v)
        gap = height - problem.depth(lam, 2.0 * float(np.linalg.norm(v)))
        found.append((v, lam, gap, height))
    return min(found, key=lambda option: option[2])


def _worth_a_restart(course: _Course, gap: float, done: int) -> bool:
    if gap <= SUFFICIENT * course.gap or course.steps >= LONG * done:
        return True
    return gap <= NECESSARY * course.gap and gap > course.previous


def _norm(matrix: sp.csr_array) -> float:
    """An estimate of the largest singular value, a little above it."""
    if min(matrix.shape) < 3:
        return float(np.linalg.norm(matrix.toarray(), 2)) or 1.0
    start = np.full(min(matrix.shape), 1.0)
    return 1.01 * float(svds(matrix, k=1, return_singular_vectors=False, v0=start)[0])


def _onto_simplex_ball(signed: Pairs) -> Pairs:
    """The nearest point of the 1-norm's unit ball, signs kept (Michelot 1986)."""
    sizes = np.abs(signed)
    if float(sizes.sum()) <= 1.0:
        return signed
    active = sizes[sizes > 0.0]
    threshold = (float(active.sum()) - 1.0) / active.size
    while True:
        left = active[active > threshold]
        if left.size == active.size or not left.size:
            break
        active = left
        threshold = (float(active.sum()) - 1.0) / active.size
    return np.asarray(np.sign(signed) * np.maximum(sizes - threshold, 0.0))


def _guess(task: DesignTask, values: States, multipliers: Pairs) -> Guess:
    return Guess(FOUND, values, task.from_values(values), None, multipliers, np.zeros(multipliers.size))
