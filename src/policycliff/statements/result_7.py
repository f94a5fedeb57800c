"""Result 7: the least change of the reward that makes a target policy uniquely optimal with a margin.

The size in the sup norm, by HiGHS, beside its bounds by dense inverses: at least max G / ||c||_1 with G the excess of
a pair's advantage over -margin, at most max G / 2 (max G where some state is terminal). And the changed MDP, solved
by other code.
"""

import numpy as np

from policycliff.cliffs.design.tie_breaker import design_tie_breaker
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.statements.facts import reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT, growth, measured_q, policy_values
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet

SHARE = 0.25
SOLVER = 1e-7

Choice = Int64[np.ndarray, " states"]
Rewards = Float64[np.ndarray, " pairs"]


def check(instance: Instance) -> Outcome:
    """A random target policy, with a quarter of the largest reward as margin."""
    mdp = instance.mdp
    hypothesis = Hypothesis("some state has two actions", holds=bool((np.diff(mdp.offsets) > 1).any()))
    if not hypothesis.holds:
        return unmet(hypothesis)
    if mdp.n_states > DENSE_LIMIT:
        return Outcome(too_large=f"more than {DENSE_LIMIT} states for dense algebra")
    draw = instance.generator("Result 7").integers(np.diff(mdp.offsets))
    choice, margin = mdp.offsets[:-1] + draw, SHARE * reward_scale(mdp)
    target = np.zeros(mdp.n_pairs)
    target[choice] = 1.0
    found = design_tie_breaker(mdp, target, margin)
    low, high = _bounds(mdp, choice, margin)
    changed = mdp.rewards + found.change
    small = 1e-12 * growth(mdp) * (1.0 + float(np.abs(changed).max()))
    values = policy_values(mdp, choice, changed)
    best, residual = measured_q(mdp, changed)
    lost = np.where(mdp.terminal, 0.0, np.maximum.reduceat(best, mdp.offsets[:-1]) - values)
    return Outcome(
        hypotheses=(hypothesis, Hypothesis("the program was solved", holds=found.status == "solved" or None)),
        claims=(
            Claim("size, at least max G / |c|_1", low, found.size, ">=", small),
            Claim(
                "size, at most max G / 2 (max G with terminal states)", high, found.size, "<=", small + SOLVER * high
            ),
            Claim("margin of the target under the changed reward", margin, _margin(mdp, choice, changed), ">=", small),
            Claim("what the target loses under it", 0.0, float(lost.max()), "=", residual + small),
        ),
    )


def _margin(mdp: MDP, choice: Choice, rewards: Rewards) -> float:
    """Least V - Q of the other pairs under the policy."""
    values = policy_values(mdp, choice, rewards)
    q = rewards + mdp.gamma * (mdp.transitions @ values)
    others = np.setdiff1d(np.arange(mdp.n_pairs), choice)
    return float((values[mdp.pair_states[others]] - q[others]).min())


def _bounds(mdp: MDP, choice: Choice, margin: float) -> tuple[float, float]:
    """Largest excess over ||c||_1, and the size that is known to do."""
    kernel, eye = mdp.transitions.toarray(), np.eye(mdp.n_states)
    inverse = np.linalg.inv(eye - mdp.gamma * kernel[choice])
    moving = (~mdp.terminal).astype(np.float64)
    low = largest = 0.0
    for pair in np.setdiff1d(np.arange(mdp.n_pairs), choice).tolist():
        row = (mdp.gamma * kernel[pair] - eye[mdp.pair_states[pair]]) @ inverse * moving
        excess = max(float(mdp.rewards[pair] + row @ mdp.rewards[choice]) + margin, 0.0)
        low, largest = max(low, excess / (1.0 + float(np.abs(row).sum()))), max(largest, excess)
    return low, largest if mdp.terminal.any() else largest / 2.0


STATEMENT = Statement(
    number="Result 7",
    title="The least change that makes a target uniquely optimal",
    says="A linear program gives it; in the sup norm it costs at least max G / |c|_1 and, without terminal states, at "
    "most max G / 2.",
    example="tied chain",
    check=check,
)
