"""Remark 4.1: the effective-reward policy is the optimum of the mixture objective where prompt classes share one start.

Classes k of share p_k start in mu_k and are paid R_k; the mixture objective is sum_k p_k J_k(pi). With one shared start
and weights w_k = p_k it is the return of the effective reward, so both optima agree. With different starts they need
not: the gap is measured over all deterministic policies.
"""

import numpy as np
from jaxtyping import Float64

from policycliff.mdp.model import MDP
from policycliff.statements.facts import moving_pairs
from policycliff.statements.instances import Instance
from policycliff.statements.measure import can_enumerate, measured_q, policies, policy_values, spans
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement

SHARES = np.array([0.5, 0.25, 0.25])
LIMIT = 600


def check(instance: Instance) -> Outcome:
    """Equal with one start; at most the enumerated optimum with three."""
    mdp = instance.mdp
    choices = list(policies(mdp)) if can_enumerate(mdp) else []
    if not 0 < len(choices) <= LIMIT:
        return Outcome(too_large=f"more than {LIMIT} deterministic policies")
    rng = instance.generator("Remark 4.1")
    rewards = mdp.rewards + rng.integers(-8, 9, (3, mdp.n_pairs)) / 8.0 * moving_pairs(mdp)
    shared = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    own = rng.dirichlet(np.ones(mdp.n_states), 3)
    effective, error = measured_q(mdp, SHARES @ rewards)
    greedy = np.array([first + int(np.argmax(effective[first:last])) for first, last in spans(mdp)])
    same = [_mixture(mdp, choice, rewards, np.tile(shared, (3, 1))) for choice in choices]
    apart = [_mixture(mdp, choice, rewards, own) for choice in choices]
    top = float(np.maximum.reduceat(effective, mdp.offsets[:-1]) @ shared)
    slack = error + 1e-10 * (1.0 + abs(top))
    return Outcome(
        hypotheses=(Hypothesis("weights are the shares of the classes", holds=True),),
        claims=(
            Claim("optimum of the mixture with one shared start", top, max(same), "=", slack),
            Claim("effective policy's mixture return, own starts", max(apart), _mixture(mdp, greedy, rewards, own)),
        ),
    )


def _mixture(
    mdp: MDP,
    choice: np.ndarray,
    rewards: Float64[np.ndarray, "classes pairs"],
    starts: Float64[np.ndarray, "classes states"],
) -> float:
    """sum_k p_k J_k of a deterministic policy."""
    values = [start @ policy_values(mdp, choice, reward) for reward, start in zip(rewards, starts, strict=True)]
    return float(SHARES @ values)


STATEMENT = Statement(
    number="Remark 4.1",
    title="Effective reward and mixture of prompts",
    says="With one shared start the effective reward's optimum is the mixture's; with several it can be worse.",
    example="clever slacker",
    check=check,
)
