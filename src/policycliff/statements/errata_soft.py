"""Errata about soft policies: what Prop 4.7 needs, and the constant of Lemma C.2."""

from itertools import product

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.statements.instances import Instance
from policycliff.statements.measure import gibbs, measured_q, measured_soft_q, spans
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet

ALPHA = 0.5
WIDEST = 10


def check_reference_measure(instance: Instance) -> Outcome:
    """A copy of an action changes the soft policy, though no reward moves: without a measure there is no limit."""
    q = _widest_state(instance.mdp)
    if q is None:
        return unmet(Hypothesis("some state has two actions", holds=False))
    copies = int(instance.generator("Erratum 10").integers(1, 20))
    listed = np.concatenate([q, np.full(copies, q[0])])
    bandit = MDP.from_arrays(np.ones((1, listed.size, 1)), listed[None, :], 0.0)
    _, policy, _ = measured_soft_q(bandit, None, base=np.ones(listed.size), temperature=ALPHA)
    weights = np.exp((q - q.max()) / ALPHA)
    weights[0] *= 1 + copies
    measured = float(policy[0] + policy[q.size :].sum())
    claim = Claim(
        f"probability of an action with {copies} copies", float(weights[0] / weights.sum()), measured, "=", 1e-12
    )
    return Outcome(hypotheses=(Hypothesis("some state has two actions", holds=True),), claims=(claim,))


def check_local_constant(instance: Instance) -> Outcome:
    """At x the softmax has the constant max_S 4 p_S (1 - p_S) / alpha; 1 / alpha is its supremum."""
    q = _widest_state(instance.mdp)
    if q is not None:
        # A softmax sees differences only, and steps of 1e-6 are lost beside large values.
        q = q - q.max()
    if q is None or q.size > WIDEST:
        return unmet(Hypothesis(f"some state has 2 to {WIDEST} actions", holds=False))
    bandit = MDP.from_arrays(np.ones((1, q.size, 1)), q[None, :], 0.0)
    p = gibbs(bandit, q, base=np.ones(q.size), temperature=ALPHA)
    masses = [float(p @ np.array(choice)) for choice in product((0.0, 1.0), repeat=q.size)]
    claimed = max(4.0 * mass * (1.0 - mass) for mass in masses) / ALPHA
    step = 1e-6
    error = 1e-7 * claimed + 1e-15 * q.size / step
    slopes = [_slope(bandit, q, np.array(signs), step) for signs in product((-1.0, 1.0), repeat=q.size)]
    return Outcome(
        hypotheses=(Hypothesis(f"some state has 2 to {WIDEST} actions", holds=True),),
        claims=(
            Claim("largest slope over the directions +1, -1", claimed, max(slopes), "=", error, 1.0 / ALPHA),
            Claim("Lemma C.2 is its supremum", 1.0 / ALPHA, claimed, "<=", 1e-12),
        ),
    )


def _slope(bandit: MDP, q: np.ndarray, direction: np.ndarray, step: float) -> float:
    """L1 norm of the central difference of the softmax."""
    ends = [gibbs(bandit, q + sign * step * direction, base=np.ones(q.size), temperature=ALPHA) for sign in (1, -1)]
    return float(np.abs(ends[0] - ends[1]).sum() / (2.0 * step))


def _widest_state(mdp: MDP) -> np.ndarray | None:
    """Q-values of the first state with the most actions, up to `WIDEST`; None where all states have one."""
    q, _ = measured_q(mdp)
    first, last = max(spans(mdp), key=lambda span: (min(span[1] - span[0], WIDEST + 1), -span[0]))
    return q[first:last] if last - first > 1 else None


ERRATA = (
    Statement(
        number="Erratum 10",
        title="Prop 4.7 needs finite actions or a measure",
        says="Copies of an action change the soft policy though no reward moves: a continuum needs a measure.",
        example="tied bandit",
        check=check_reference_measure,
    ),
    Statement(
        number="Erratum 11",
        title="Lemma C.2's constant is a supremum",
        says="At x the slope of the softmax is max_S 4 p_S (1 - p_S) / alpha: 1 / alpha only where some p_S is 1/2.",
        example="unique chain",
        check=check_local_constant,
    ),
)
