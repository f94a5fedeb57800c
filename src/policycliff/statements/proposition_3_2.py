"""Prop 3.2: for any e > 0 some reward within e makes one tied action strictly better than the others.

Three constructions: the paper's, of height e / (1 + gamma); the same with height e, which suffices; e on one reward.
"""

import numpy as np

from policycliff.cliffs.ties.construction import CONSTRUCTIONS, cliff_perturbation
from policycliff.statements.facts import optimal_sets, reward_scale, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import rounding
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.statements.ties import measured_lead, pair_lead, tied_members

SIZES = (2.0**-3, 2.0**-12, 2.0**-20)


def check(instance: Instance) -> Outcome:
    """Each construction at three sizes: how much better the action is at least."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    state, members = tied_members(actions)
    winner, scale = int(members[0]), reward_scale(mdp)
    norms, claims = [], list[Claim]()
    for construction in CONSTRUCTIONS:
        for share in SIZES:
            size = share * scale
            moved = cliff_perturbation(mdp, state, int(mdp.actions[winner]), size, construction=construction)
            lead, error = measured_lead(mdp, moved.rewards, winner)
            floor = pair_lead(mdp, size) if construction == "pair" else moved.height
            norms.append(float(np.abs(moved.rewards - mdp.rewards).max()) / size)
            text = f"lead by construction {construction!r} of {share:.3g} x reward"
            claims.append(Claim(text, floor, lead, ">=", error + rounding(mdp, 0.1 * scale)))
    return Outcome(
        hypotheses=(tied_somewhere(actions),),
        claims=(
            Claim("change of the reward over epsilon", 1.0, max(norms), "<=", 1e-15),
            *claims,
        ),
    )


STATEMENT = Statement(
    number="Prop 3.2",
    title="An arbitrarily small bonus breaks a tie",
    says="For every e > 0 some reward within e makes a given tied action strictly better than all others.",
    example="clever slacker",
    check=check,
)
