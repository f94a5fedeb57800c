"""Prop 4.7: the entropy-regularised policy is Lipschitz in the reward, TV <= sup |R1 - R2| / (2 alpha (1 - gamma)).

Actions are finite here, as the proposition needs (for a continuum it needs a reference measure).
"""

import numpy as np

from policycliff.cliffs.soft.bounds import soft_policy_bounds
from policycliff.statements.facts import discounted, random_change, reward_scale
from policycliff.statements.instances import Instance, extremal_world
from policycliff.statements.measure import DENSE_LIMIT, measured_soft_q, state_tv
from policycliff.statements.statement import Claim, Outcome, Statement, unmet


def check(instance: Instance) -> Outcome:
    """Three temperatures, the nearest to its bound first; and the world that attains the constant to first order."""
    mdp = instance.mdp
    if not discounted(mdp).holds:
        return unmet(discounted(mdp))
    scale = reward_scale(mdp)
    change = random_change(mdp, 0.125 * scale, instance.generator("Prop 4.7"))
    claims = [_claim(instance, change, share * scale) for share in (1.0, 0.25, 0.0625)]
    ordered = sorted(claims, key=lambda claim: claim.measured / max(claim.claimed, 1e-300), reverse=True)
    return Outcome(hypotheses=(discounted(mdp),), claims=(*ordered, _attained(scale, mdp.gamma)))


def _claim(instance: Instance, change: np.ndarray, temperature: float) -> Claim:
    mdp = instance.mdp
    entropy = np.ones(mdp.n_pairs)
    _, before, first_error = measured_soft_q(mdp, None, base=entropy, temperature=temperature)
    _, after, second_error = measured_soft_q(mdp, mdp.rewards + change, base=entropy, temperature=temperature)
    bound = soft_policy_bounds(mdp, float(np.abs(change).max()), temperature, states=[0], starts=0).paper_bound
    error = (first_error + second_error) / (2.0 * temperature) + 1e-13
    text = f"total variation at temperature {temperature:.3g}"
    return Claim(text, bound, float(state_tv(mdp, before, after).max()), "<=", error)


def _attained(temperature: float, gamma: float) -> Claim:
    """A choice between a state that gains and one that loses: tanh(x), at least x - x^3 / 3, where the bound is x."""
    epsilon = 2e-3 * temperature * (1.0 - gamma)
    mdp, change = extremal_world(epsilon, gamma)
    bound = soft_policy_bounds(mdp, epsilon, temperature, starts=0).paper_bound
    entropy = np.ones(mdp.n_pairs)
    _, before, first_error = measured_soft_q(mdp, None, base=entropy, temperature=temperature)
    _, after, second_error = measured_soft_q(mdp, mdp.rewards + change, base=entropy, temperature=temperature)
    error = (first_error + second_error) / (2.0 * temperature) + bound**3 / 3.0
    return Claim("the extremal world, small change", bound, float(state_tv(mdp, before, after)[0]), "=", error)


STATEMENT = Statement(
    number="Prop 4.7",
    title="The soft policy is Lipschitz",
    says="The entropy-regularised policy moves by at most the reward's change over 2 temperature (1 - gamma).",
    example="sharp modulus",
    check=check,
    most_states=DENSE_LIMIT,
)
