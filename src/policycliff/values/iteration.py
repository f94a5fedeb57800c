"""The three iterative methods. Each alternates backups with some evaluation of the greedy policy.

value_iteration           no evaluation: v <- T v.
modified_policy_iteration cheap sweeps between backups, over the greedy action and, at first, those nearly as good:
                          T_C v lies between T_pi v and T v, so nothing is lost, and fewer backups are needed.
policy_iteration          the greedy policy is evaluated exactly (small MDPs) or to rounding.

All stop on the certificate of `policycliff.values.certificates`, never on a step size: at the tolerance, at the
rounding floor, or at the iteration limit. Without terminal states the midpoint of the certified interval is added to
v after each backup; that removes the slow constant mode, so the work depends on how fast the chain mixes and not on
1 / (1 - gamma). With terminal states a constant is not a mode, and nothing is added.

Sources: Puterman (1994), chapter 6; Puterman and Shin (1978).
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.backup_kernels import soft_weights
from policycliff.values.certificates import Certificate, certify
from policycliff.values.chain import DIRECT_LIMIT, Chain, stochastic_chain
from policycliff.values.operator import Backup, BellmanOperator
from policycliff.values.solution import CONVERGED, ITERATION_LIMIT, ROUNDING_FLOOR
from policycliff.values.sweep_kernels import (
    EVALUATION_LIMIT,
    EVALUATION_SHARE,
    FAR_PATIENCE,
    NEAR,
    PATIENCE,
    SLACK_DECAY,
    SLACK_SHARE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last backup with its certificate."""

    backup: Backup
    certificate: Certificate
    iterations: int
    status: str


@dataclass(slots=True)
class Monitor:
    """Decides when to stop; remembers the best bound so far."""

    tolerance: float
    limit: int
    patience: int
    best: float = np.inf
    stalled: int = 0

    def status(self, certificate: Certificate, iterations: int) -> str | None:
        """The final status, or None to go on."""
        if certificate.bound <= self.tolerance:
            return CONVERGED
        if certificate.bound <= 1.25 * certificate.floor:
            return ROUNDING_FLOOR
        self.stalled = 0 if certificate.bound < self.best else self.stalled + 1
        self.best = min(self.best, certificate.bound)
        if self.stalled >= (self.patience if certificate.bound <= NEAR * certificate.floor else FAR_PATIENCE):
            return ROUNDING_FLOOR
        return ITERATION_LIMIT if iterations >= self.limit else None


def value_iteration(operator: BellmanOperator, tolerance: float, limit: int) -> Outcome:
    """Backups v <- T v until the certificate holds."""
    return _iterate(operator, tolerance, limit, evaluation="none")


def modified_policy_iteration(operator: BellmanOperator, tolerance: float, limit: int) -> Outcome:
    """Backups with cheap sweeps under the greedy policy in between."""
    return _iterate(operator, tolerance, limit, evaluation="sweeps")


def policy_iteration(operator: BellmanOperator, tolerance: float, limit: int) -> Outcome:
    """Backups with a full evaluation of the greedy policy in between."""
    return _iterate(operator, tolerance, limit, evaluation="full")


def _iterate(operator: BellmanOperator, tolerance: float, limit: int, *, evaluation: str) -> Outcome:
    """The loop that the methods share."""
    mdp = operator.mdp
    monitor = Monitor(tolerance=tolerance, limit=limit, patience=PATIENCE)
    q = np.empty(mdp.n_pairs)
    backup = operator.start()
    iterations = 1
    slack = Slack()
    while True:
        certificate = certify(operator, backup)
        status = monitor.status(certificate, iterations)
        if status is not None:
            return Outcome(backup, certificate, iterations, status)
        if evaluation != "none" and not backup.at_zero:
            v, spare = _evaluate(operator, backup, certificate, tolerance, slack if evaluation == "sweeps" else None)
        else:
            v, spare = _centred(backup, certificate, mdp), backup.v
        backup = operator.apply(v, out=spare, q=q)
        iterations += 1


@dataclass(slots=True)
class Slack:
    """How far from the best an action may be to take part in the sweeps between two backups."""

    first: float = np.nan
    now: float = np.nan

    def next(self, backup: Backup, certificate: Certificate) -> tuple[float, bool]:
        """The next slack, and whether the certificate proves all actions beyond it worse.

        As soon as that is not more than the first slack, it is the slack.
        """
        if np.isnan(self.first):
            self.first = self.now = SLACK_SHARE * (backup.high - backup.low)
        else:
            self.now *= SLACK_DECAY
        proven = 2.0 * certificate.bound <= self.first
        return (2.0 * certificate.bound if proven else self.now), proven


def _evaluate(
    operator: BellmanOperator, backup: Backup, certificate: Certificate, tolerance: float, slack: Slack | None
) -> tuple[Float64[np.ndarray, " states"], Float64[np.ndarray, " states"]]:
    """Values of the greedy policy of a backup, nearly, or fully where there is no slack; also the spare array.

    All actions within the slack of the best take part. Once all others are proven worse, they are iterated to the end.
    """
    target = 0.75 * max(tolerance, certificate.floor) / max(operator.amplification, 1.0)
    span, limit, distance = target, 1_000_000, -1.0
    if slack is None and backup.v.size <= DIRECT_LIMIT:
        v = greedy_chain(operator, backup).solve()
        v[operator.mdp.terminal] = 0.0
        return v, backup.v
    if slack is not None:
        distance, proven = slack.next(backup, certificate)
        limit = EVALUATION_LIMIT
        to_the_end = proven and operator.temperature == 0.0
        span = target if to_the_end else max(EVALUATION_SHARE * (backup.high - backup.low), target)
    if operator.temperature == 0.0:
        # The rows are those near the maxima, so they are kept before these are moved.
        kept = operator.keep(backup, distance)
        v = _centred(backup, certificate, operator.mdp)
        return kept.sweep(operator.run, v, backup.v, span=span, limit=limit)
    v = _centred(backup, certificate, operator.mdp)
    return greedy_chain(operator, backup).sweep(v, backup.v, span=span, limit=limit)


def _centred(backup: Backup, certificate: Certificate, mdp: MDP) -> Float64[np.ndarray, " states"]:
    """The new values, moved in place to the middle of their certified interval where no state is terminal."""
    if not mdp.terminal.any() and np.isfinite(certificate.shift):
        backup.values[:] += certificate.shift
    return backup.values


def greedy_chain(operator: BellmanOperator, backup: Backup) -> Chain:
    """The chain of the greedy (or soft) policy of a backup."""
    mdp = operator.mdp
    if operator.temperature == 0.0:
        return operator.keep(backup, -1.0).chain()
    policy = np.empty(mdp.n_pairs)
    soft_weights(mdp.offsets, backup.q, operator.base, operator.temperature, policy)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(policy > 0.0, policy * np.log(policy / operator.base), 0.0)
    bonus = np.divide(relative, policy, out=np.zeros_like(policy), where=policy > 0.0)
    return stochastic_chain(mdp, policy, mdp.rewards - operator.temperature * bonus)
