"""Modified policy iteration in place, for worlds that end: values spread from the absorbing states outwards.

Sweeps under one policy take the states by their distance from the absorbing ones, so that most successors are up to
date when a state's turn comes, and one sweep carries a value all the way; plain sweeps carry it one step. Only the rows
of that policy are put into this order: improvements read the whole kernel as it lies, forwards and backwards in turns,
but for the first, which sets out from the ends. The start is a lower bound on V*: from there the first greedy policies
head for what is already known. A backup that is not in place comes last: the certificate rests on it alone.

Cost: O(nonzeros) for the order and for each improvement; in grids some fifteen of them.
Sources: Puterman (1994), section 6.3.3; Wingate and Seppi, Prioritization methods for accelerating MDP solvers (2005).
"""

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int32, Int64
from policycliff.values.certificates import certify
from policycliff.values.iteration import Monitor, Outcome
from policycliff.values.operator import BellmanOperator
from policycliff.values.order_kernels import absorbing_states, by_distance, predecessors
from policycliff.values.sweep_kernels import gauss_seidel_sweeps, improve_in_place, keep_in_order, recentre

# Sweeps under one policy between two improvements, and the share of the last change at which they stop.
SWEEPS, SHARE = 30, 0.03
# Improvements in a row that change no less than the best before, after which a certificate is asked for.
PATIENCE = 5


def absorbing(mdp: MDP) -> Bool[np.ndarray, " states"]:
    """(states,) terminal states, and those that no action leaves."""
    return frozen(absorbing_states(mdp.offsets, mdp.indptr, mdp.successors))


def outwards(mdp: MDP) -> Int32[np.ndarray, " states"]:
    """States by their distance from the absorbing ones; those that cannot reach any come last."""
    return frozen(by_distance(*predecessors(mdp.first_successors, mdp.successors), absorbing(mdp)))


def gauss_seidel(
    operator: BellmanOperator,
    tolerance: float,
    limit: int,
    *,
    order: Int32[np.ndarray, " states"] | None = None,
    start: Float64[np.ndarray, " states"] | None = None,
) -> Outcome:
    """Improvements in place with cheap sweeps in between, then backups until the certificate holds.

    `order` is what `outwards` says, where that is known already; `start` are values to start from.
    """
    mdp, n_states = operator.mdp, operator.mdp.n_states
    kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma)
    monitor = Monitor(tolerance=tolerance, limit=limit, patience=PATIENCE)
    fixed = absorbing(mdp)
    order = outwards(mdp) if order is None else order
    forwards = frozen(np.arange(n_states, dtype=np.int32))
    turns = (forwards, frozen(forwards[::-1]))
    rank = np.empty(n_states, np.int32)
    rank[order] = forwards
    v = lower_bound(operator, fixed)
    if start is not None:
        v = np.where(fixed, v, start)
    best, spare, q = np.empty(n_states, np.int64), np.empty(n_states), np.empty(mdp.n_pairs)
    aim = tolerance / max(operator.amplification, 1.0)
    least, stalled, iterations = np.inf, 0, 0
    while True:
        change = improve_in_place(turns[iterations % 2] if iterations else order, *kernel, v, best)
        iterations += 1
        stalled = stalled + 1 if change >= least else 0
        least = min(least, change)
        if change <= aim or stalled >= PATIENCE or iterations >= limit:
            backup = operator.apply(v, out=spare, q=q)
            certificate = certify(operator, backup)
            iterations += 1
            status = monitor.status(certificate, iterations)
            if status is not None:
                return Outcome(backup, certificate, iterations, status)
            v, spare, stalled, least = backup.values, backup.v, 0, np.inf
        else:
            _sweep_outwards(
                mdp, order, frozen(rank), v=v, best=best, fixed=fixed, change=max(SHARE * change, 0.25 * aim)
            )


def _sweep_outwards(
    mdp: MDP,
    order: Int32[np.ndarray, " states"],
    rank: Int32[np.ndarray, " states"],
    *,
    v: Float64[np.ndarray, " states"],
    best: Int64[np.ndarray, " states"],
    fixed: Bool[np.ndarray, " states"],
    change: float,
) -> None:
    """Move v towards the values of the policy that takes pair best[s] in state s."""
    kernel, size = (mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards), mdp.successors.size
    # Memory that is not written to is not used.
    starts, rewards = np.empty(mdp.n_states + 1, mdp.indptr.dtype), np.empty(mdp.n_states)
    rows = (starts, np.empty(size, np.int32), np.empty(size), rewards)
    keep_in_order(order, rank, best, *kernel, *rows)
    ordered = v[order]
    if not gauss_seidel_sweeps(*rows, mdp.gamma, ordered, change, SWEEPS):
        recentre(*rows, mdp.gamma, frozen(fixed[order]), ordered)
    v[order] = ordered


def lower_bound(operator: BellmanOperator, fixed: Bool[np.ndarray, " states"]) -> Float64[np.ndarray, " states"]:
    """Values below V*, exact at absorbing states."""
    mdp = operator.mdp
    with np.errstate(over="ignore", invalid="ignore"):
        least = min(float(mdp.rewards.min()), 0.0) * operator.amplification
        ends = np.maximum.reduceat(mdp.rewards, mdp.offsets[:-1]) / (1.0 - mdp.gamma if mdp.gamma < 1.0 else 1.0)
    v = np.full(mdp.n_states, least if np.isfinite(least) else 0.0)
    v[fixed] = np.where(np.isfinite(ends), ends, 0.0)[fixed]
    return v
