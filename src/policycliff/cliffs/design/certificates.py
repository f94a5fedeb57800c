"""What a design is worth, proven without trusting the solver: a bound on every change, and the margin it attains.

**Lower bound.** Take any numbers lam >= 0 on the rivals and any policy p that follows the target where it counts. With
A and c the advantages and their coefficients under p, every change D that fulfils the demands has

    sum lam c . D <= -sum lam (A + margin),  so  ||D|| >= sum lam (A + margin) / ||sum lam c||_q

by Hoelder's inequality, q dual to the norm. (For a stochastic target lam may have any sign on its own pairs, whose
advantages must stay 0.) The proof: weigh the demands y <= 0 with sum lam c; V cancels, because these weights conserve
flow; they are at least 0 off the target's pairs because p leads there only forwards. At the optimum the solver's
multipliers make it an equality. Where features move, c is read through them.

**No change at all.** If the norm on the right is 0 and the left positive, no change does it. In floating point: none
that is smaller than the quotient.

**Margin.** V of the target is evaluated and Q* solved under the changed reward as it is stored; both with their proven
errors.

Cost: two left solves and two evaluations.
"""

import numpy as np

from policycliff.cliffs.design.task import DUAL_ORDERS, DesignTask
from policycliff.mdp.compilation import frozen
from policycliff.shapes import Float64
from policycliff.values.chain import stochastic_chain
from policycliff.values.evaluation import Evaluation, evaluate
from policycliff.values.left_solve import RELATIVE_ERROR, make_left_solver
from policycliff.values.operator import UNIT_ROUNDOFF
from policycliff.values.solve import solve, tight_tolerance

# Multipliers below this share of the largest are noise of an interior point.
NEGLIGIBLE = 1e-9

Vector = Float64[np.ndarray, " pairs"]


def lower_bound(task: DesignTask, multipliers: Vector, weights: Vector) -> float:
    """No change that fulfils the demands is smaller than this; 0 where the multipliers prove nothing."""
    lam = _kept(task, multipliers)
    total = float(np.abs(lam).sum())
    if total == 0.0:
        return 0.0
    lam /= total
    policy = continuation(task, multipliers)
    coefficients, error = combined_coefficients(task, lam, policy)
    found = evaluate(task.mdp, policy)
    needed = found.advantages(task.mdp) + task.margins
    gain = float(lam @ needed) - float(np.abs(lam) @ _slack(found, needed))
    gain -= (lam.size + 1.0) * UNIT_ROUNDOFF * float(np.abs(lam) @ np.abs(needed))
    if gain <= 0.0:
        return 0.0
    return gain / _dual_size(task, coefficients, error, weights / total) * (1.0 - 1e-12)


def continuation(task: DesignTask, multipliers: Vector) -> Vector:
    """The target where it counts; elsewhere what the multipliers say flows there, or the optimal policy."""
    mdp = task.mdp
    if task.counts.all():
        return task.policy
    flow = np.where(task.loose, np.maximum(multipliers, 0.0), 0.0)
    sums = np.add.reduceat(flow, mdp.offsets[:-1])
    known = sums > NEGLIGIBLE * float(np.abs(multipliers).max(initial=0.0))
    shares = flow / np.where(known, sums, 1.0)[mdp.pair_states]
    elsewhere = np.where(known[mdp.pair_states], shares, solve(mdp).policy)
    return frozen(np.where(task.counts[mdp.pair_states], task.policy, elsewhere))


def combined_coefficients(task: DesignTask, lam: Vector, policy: Vector) -> tuple[Vector, float]:
    """(pairs,) sum lam c for the policy, 0 where terminal, and a bound on its L1 error."""
    mdp = task.mdp
    chain = stochastic_chain(mdp, policy, mdp.rewards)
    solver = make_left_solver(mdp, chain)
    here = np.add.reduceat(lam, mdp.offsets[:-1])
    # What the pairs do differently from the policy: it sums to 0, and sweeps end early.
    ahead = mdp.transitions.T @ lam - chain.matrix.T @ here
    row, remainder = solver.solve(np.ascontiguousarray(ahead))
    row = mdp.gamma * row - here
    longest = float(np.diff(mdp.indptr).max()) + float(np.diff(mdp.offsets).max()) + lam.size**0.5
    rounding = 4.0 * longest * UNIT_ROUNDOFF * float(np.abs(lam).sum())
    error = mdp.gamma * (remainder + rounding) * solver.amplification + RELATIVE_ERROR * float(np.abs(row).sum())
    return np.where(task.alive, lam + row[mdp.pair_states] * policy, 0.0), error


def attained_margin(task: DesignTask, change: Vector) -> float:
    """A proven lower bound on the margin under the changed reward."""
    return float(proven_gaps(task, change)[0].min(initial=np.inf))


def proven_gaps(task: DesignTask, change: Vector) -> tuple[Vector, float]:
    """(pairs,) lower bounds on V - Q of the rivals under the changed reward (inf elsewhere), and the largest error."""
    mdp, rewards = task.mdp, task.mdp.rewards + change
    found = evaluate(mdp, task.policy, rewards=rewards)
    if task.counts.all():
        gaps = -found.advantages(mdp)
        slack = _slack(found, gaps)
    else:
        best = solve(mdp.with_rewards(np.where(task.alive, rewards, 0.0)), tolerance=tight_tolerance(rewards))
        gaps = found.values[mdp.pair_states] - best.q_values
        sizes = np.abs(found.values)[mdp.pair_states] + np.abs(best.q_values)
        slack = found.error_bound + best.error_bound + 2.0 * UNIT_ROUNDOFF * sizes
    return np.where(task.rivals, gaps - slack, np.inf), float(slack.max())


def tie_error(task: DesignTask, change: Vector) -> float:
    """For a stochastic target: the largest |advantage| of its own pairs under the changed reward, error included."""
    found = evaluate(task.mdp, task.policy, rewards=task.mdp.rewards + change)
    own = found.advantages(task.mdp)
    return float(np.where(task.taken & (task.policy < 1.0), np.abs(own) + _slack(found, own), 0.0).max(initial=0.0))


def _slack(found: Evaluation, advantages: Vector) -> Vector:
    size = float(np.abs(found.q_values).max(initial=0.0) + np.abs(found.values).max(initial=0.0))
    return np.full(advantages.size, 2.0 * found.error_bound + 2.0 * UNIT_ROUNDOFF * size)


def _kept(task: DesignTask, multipliers: Vector) -> Vector:
    """Multipliers of rivals that are not noise; for a stochastic target also those of its own pairs."""
    floor = NEGLIGIBLE * float(np.abs(multipliers[task.rivals | task.taken]).max(initial=0.0))
    shared = task.taken & (task.policy < 1.0)
    kept = np.where(task.rivals, np.maximum(multipliers, 0.0), np.where(shared, multipliers, 0.0))
    return np.where(np.abs(kept) > floor, kept, 0.0)


def _dual_size(task: DesignTask, coefficients: Vector, error: float, weights: Vector) -> float:
    """Upper bound on the dual norm of what the coefficients ask of the change."""
    order = DUAL_ORDERS[task.norm]
    if task.features is None:
        return float(np.linalg.norm(coefficients[task.free], order)) + error
    features = task.features
    through = features @ coefficients
    rounding = (features.shape[1] + 2.0) * UNIT_ROUNDOFF * (np.abs(features) @ np.abs(coefficients))
    spread = float((np.abs(features).max() * error + rounding.max()) * len(features))
    if task.measure == "coefficients":
        return float(np.linalg.norm(through, order)) + spread
    # Any w with F w = F c serves; the multipliers of the norm are the best one, up to rounding and noise.
    basis, triangle = np.linalg.qr(features.T)
    found = weights if task.norm != "2" else np.zeros_like(coefficients)
    w = found + basis @ (basis.T @ (coefficients - found))
    left = float(np.linalg.norm(through - features @ w)) + spread
    smallest = float(np.linalg.svd(triangle, compute_uv=False).min())
    return float(np.linalg.norm(w, order)) + left / smallest * np.sqrt(w.size)
