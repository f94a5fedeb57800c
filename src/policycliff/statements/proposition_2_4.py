"""Prop 2.4: Q* is Lipschitz in the reward, with constant 1 / (1 - gamma)."""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.statements.facts import discounted, moving_pairs, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, rounding
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon


def check(instance: Instance) -> Outcome:
    """A random change of the reward, and the pair of rewards that attains the horizon form."""
    mdp = instance.mdp
    if not discounted(mdp).holds:
        return unmet(discounted(mdp))
    change = random_change(mdp, 0.25 * reward_scale(mdp), instance.generator("Prop 2.4"))
    size = float(np.abs(change).max())
    before, first_error = measured_q(mdp)
    after, second_error = measured_q(mdp, mdp.rewards + change)
    lifted, third_error = measured_q(mdp, size * moving_pairs(mdp))
    horizon = float(reward_horizon(mdp).max())
    moved, error = float(np.abs(after - before).max()), first_error + second_error
    return Outcome(
        hypotheses=(discounted(mdp),),
        claims=(
            Claim("sup |Q1 - Q2| <= sup |R1 - R2| / (1 - gamma)", size / (1.0 - mdp.gamma), moved, "<=", error),
            Claim("the same with the horizon of terminal states", size * horizon, moved, "<=", error),
            Claim(
                "attained between the reward 0 and a constant one",
                size * horizon,
                float(lifted.max()),
                "=",
                third_error + 1e-11 * size * horizon + rounding(mdp, size * horizon),
            ),
            _attained(mdp.gamma, size),
        ),
    )


def _attained(gamma: float, size: float) -> Claim:
    """The paper's constant where nothing ends: one state, the reward 0 and then `size`."""
    forever = MDP.from_arrays(np.ones((1, 1, 1)), [[0.0]], gamma)
    moved, error = measured_q(forever, np.array([size]))
    claimed = size / (1.0 - gamma)
    return Claim(
        "1 / (1 - gamma) attained by one state", claimed, float(moved[0]), "=", error + rounding(forever, claimed)
    )


STATEMENT = Statement(
    number="Prop 2.4",
    title="Q* is Lipschitz in the reward",
    says="Optimal Q-values move by at most the change of the reward divided by 1 - gamma.",
    example="unique chain",
    check=check,
)
