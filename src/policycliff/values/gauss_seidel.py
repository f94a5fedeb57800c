"""Modified policy iteration in place, for worlds that end: values spread from the absorbing states outwards.

States are taken by their distance from the absorbing ones, so that most successors are up to date when a state's turn
comes, and one sweep carries a value all the way; plain sweeps carry it one step. The start is a lower bound on V*: from
there the first greedy policies head for what is already known. A backup that is not in place comes last: the
certificate rests on it alone.

Cost: a copy of the kernel in the new order, then O(nonzeros) a backup; in grids some twenty backups.
Sources: Puterman (1994), section 6.3.3; Wingate and Seppi, Prioritization methods for accelerating MDP solvers (2005).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.values.certificates import certify
from policycliff.values.iteration import Monitor, Outcome
from policycliff.values.kept_rows import room_for_rows
from policycliff.values.operator import BellmanOperator
from policycliff.values.order_kernels import absorbing_states, by_distance, predecessors, reorder_rows
from policycliff.values.sweep_kernels import gauss_seidel_sweeps, improve_in_place, recentre

# Sweeps under one policy between two improvements, and the share of the last change at which they stop.
SWEEPS, SHARE = 20, 0.03
# Improvements before the first of these sweeps: cheap policies are bad before values have spread.
FIRST = 5
# Improvements in a row that change no less than the best before, after which a certificate is asked for.
PATIENCE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Reordered:
    """An MDP with its states in another order; `states` and `pairs` are their places in the old one."""

    mdp: MDP
    states: Int64[np.ndarray, " states"]
    pairs: Int64[np.ndarray, " pairs"]


def absorbing(mdp: MDP) -> Bool[np.ndarray, " states"]:
    """(states,) terminal states, and those that no action leaves."""
    return frozen(absorbing_states(mdp.offsets, mdp.indptr, mdp.successors))


def reordered(mdp: MDP, ends: Bool[np.ndarray, " states"]) -> Reordered:
    """The MDP with its states by their distance from these; those that cannot reach any come last."""
    order = by_distance(*predecessors(mdp.first_successors, mdp.successors), ends)
    offsets, pairs, indptr, successors, probabilities = reorder_rows(
        order, mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities
    )
    moved = replace(
        mdp,
        offsets=frozen(offsets),
        actions=frozen(mdp.actions[pairs]),
        indptr=frozen(indptr),
        successors=frozen(successors),
        probabilities=frozen(probabilities),
        rewards=frozen(mdp.rewards[pairs]),
        terminal=frozen(mdp.terminal[order]),
        initial=None,
        state_names=None,
        order=None if mdp.order is None else frozen(np.argsort(order)[mdp.order]),
    )
    return Reordered(moved, order, pairs)


def gauss_seidel(
    operator: BellmanOperator, tolerance: float, limit: int, start: Float64[np.ndarray, " states"] | None = None
) -> Outcome:
    """Improvements in place with cheap sweeps in between, then backups until the certificate holds."""
    mdp = operator.mdp
    kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma)
    monitor = Monitor(tolerance=tolerance, limit=limit, patience=PATIENCE)
    room = room_for_rows(mdp, operator.ranges)
    rows = (room.indptr[: mdp.n_states + 1], room.successors, room.probabilities, room.rewards)
    fixed = absorbing(mdp)
    v = lower_bound(operator, fixed) if start is None else np.where(mdp.terminal, 0.0, start)
    spare, q = np.empty(mdp.n_states), np.empty(mdp.n_pairs)
    aim = tolerance / max(operator.amplification, 1.0)
    least, stalled, iterations = np.inf, 0, 0
    while True:
        change = improve_in_place(*kernel, v, *rows)
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
            v, spare, stalled = backup.values, backup.v, 0
        elif iterations >= FIRST or start is not None:
            done = gauss_seidel_sweeps(*rows, mdp.gamma, v, max(SHARE * change, 0.25 * aim), SWEEPS)
            if not done:
                recentre(*rows, mdp.gamma, fixed, v)


def lower_bound(operator: BellmanOperator, fixed: Bool[np.ndarray, " states"]) -> Float64[np.ndarray, " states"]:
    """Values below V*, exact at absorbing states."""
    mdp = operator.mdp
    with np.errstate(over="ignore", invalid="ignore"):
        least = min(float(mdp.rewards.min()), 0.0) * operator.amplification
        ends = np.maximum.reduceat(mdp.rewards, mdp.offsets[:-1]) / (1.0 - mdp.gamma if mdp.gamma < 1.0 else 1.0)
    v = np.full(mdp.n_states, least if np.isfinite(least) else 0.0)
    v[fixed] = np.where(np.isfinite(ends), ends, 0.0)[fixed]
    return v
