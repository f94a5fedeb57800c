"""Prop 4.7: the entropy-regularised policy is Lipschitz in the reward, TV <= sup |R1 - R2| / (2 alpha (1 - gamma)).

Actions are finite here, as the proposition needs (for a continuum it needs a reference measure).
"""

import numpy as np

from policycliff.statements.facts import discounted, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_soft_q, state_tv
from policycliff.statements.statement import Claim, Outcome, Statement, unmet


def check(instance: Instance) -> Outcome:
    """Three temperatures; the claim nearest to its bound is reported first."""
    mdp = instance.mdp
    if not discounted(mdp).holds:
        return unmet(discounted(mdp))
    scale = reward_scale(mdp)
    change = random_change(mdp, 0.125 * scale, instance.generator("Prop 4.7"))
    claims = [_claim(instance, change, share * scale) for share in (1.0, 0.25, 0.0625)]
    ordered = sorted(claims, key=lambda claim: claim.measured / max(claim.claimed, 1e-300), reverse=True)
    return Outcome(hypotheses=(discounted(mdp),), claims=tuple(ordered))


def _claim(instance: Instance, change: np.ndarray, temperature: float) -> Claim:
    mdp = instance.mdp
    entropy = np.ones(mdp.n_pairs)
    _, before, first_error = measured_soft_q(mdp, None, base=entropy, temperature=temperature)
    _, after, second_error = measured_soft_q(mdp, mdp.rewards + change, base=entropy, temperature=temperature)
    bound = float(np.abs(change).max()) / (2.0 * temperature * (1.0 - mdp.gamma))
    error = (first_error + second_error) / (2.0 * temperature) + 1e-13
    text = f"total variation at temperature {temperature:.3g}"
    return Claim(text, bound, float(state_tv(mdp, before, after).max()), "<=", error)


STATEMENT = Statement(
    number="Prop 4.7",
    title="The soft policy is Lipschitz",
    says="The entropy-regularised policy moves by at most the reward's change over 2 temperature (1 - gamma).",
    example="sharp modulus",
    check=check,
)
