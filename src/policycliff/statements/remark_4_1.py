"""Remark 4.1: the effective-reward policy is the optimum of the mixture objective where prompt classes share one start.

Classes k of share p_k start in mu_k and are paid R_k; the mixture objective is sum_k p_k J_k(pi). With one shared start
and weights w_k = p_k it is the return of the effective reward, so both optima agree. With different starts they need
not: the gap is measured over all deterministic policies, on the instance and in a world where it is known: each of two
classes of share 1/2 starts in a state of its own; the class that does not start there is paid more for the other
action, so the effective reward picks that one everywhere and loses all of what the first class could earn.
"""

import numpy as np
from jaxtyping import Float64

from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import moving_pairs
from policycliff.statements.instances import Instance
from policycliff.statements.measure import (
    can_enumerate,
    greedy_pairs,
    measured_q,
    policies,
    policy_values,
    rounding,
)
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement

SHARES = np.array([0.5, 0.25, 0.25])
LIMIT = 600


def check(instance: Instance) -> Outcome:
    """Equal with one start; at most the enumerated optimum with three; the known loss with two."""
    mdp = instance.mdp
    choices = list(policies(mdp)) if can_enumerate(mdp) else []
    if not 0 < len(choices) <= LIMIT:
        return Outcome(too_large=f"more than {LIMIT} deterministic policies")
    rng, spread = instance.generator("Remark 4.1"), np.repeat(SHARES[:, None], mdp.n_states, axis=1)
    rewards = mdp.rewards + rng.integers(-8, 9, (3, mdp.n_pairs)) / 8.0 * moving_pairs(mdp)
    shared = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    own = rng.dirichlet(np.ones(mdp.n_states), 3)
    effective, error = measured_q(mdp, effective_reward(rewards, spread, mdp=mdp))
    greedy = greedy_pairs(mdp, effective)
    same = [_mixture(mdp, choice, rewards, np.tile(shared, (3, 1))) for choice in choices]
    apart = [_mixture(mdp, choice, rewards, own) for choice in choices]
    top = float(np.maximum.reduceat(effective, mdp.offsets[:-1]) @ shared)
    slack = error + rounding(mdp, float(np.abs(rewards).max()) + float(np.abs(effective).max()))
    return Outcome(
        hypotheses=(Hypothesis("weights are the shares of the classes", holds=True),),
        claims=(
            Claim("optimum of the mixture with one shared start", top, max(same), "=", slack),
            Claim(
                "effective policy's mixture return, shared start",
                max(same),
                _mixture(mdp, greedy, rewards, np.tile(shared, (3, 1))),
                "=",
                slack,
            ),
            Claim(
                "effective policy's return, own starts", max(apart), _mixture(mdp, greedy, rewards, own), "<=", slack
            ),
            _known_gap(rng, mdp.gamma),
        ),
    )


def _known_gap(rng: np.random.Generator, gamma: float) -> Claim:
    """Two classes, each with its own start: class k earns `own` there by action k, the other would earn more."""
    own, more = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.25, 1.0))
    kernel, last = np.zeros((3, 2, 3)), np.array([False, False, True])
    kernel[:2, :, 2] = 1.0
    world = MDP.from_arrays(kernel, np.zeros((3, 2)), gamma, terminal=last)
    # Pairs: state 0 (actions 0, 1), state 1 (actions 0, 1), the end.
    rewards = np.array([[own, 0.0, own + more, 0.0, 0.0, 0.0], [0.0, own + more, 0.0, own, 0.0, 0.0]])
    rewards = np.array([np.resize(row, world.n_pairs) * moving_pairs(world) for row in rewards])
    shares, starts = np.array([0.5, 0.5]), np.eye(3)[:2]
    effective, _ = measured_q(world, effective_reward(rewards, np.full((2, 3), 0.5), mdp=world))
    returns = []
    for choice in (greedy_pairs(world, effective), *policies(world)):
        values = [policy_values(world, choice, reward) for reward in rewards]
        returns.append(float(shares @ [start @ value for start, value in zip(starts, values, strict=True)]))
    return Claim("what the effective policy loses with two starts", own, max(returns[1:]) - returns[0], "=", 1e-12)


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
