"""Prop 2.9: at a tie every deterministic choice of an optimal action is discontinuous in the reward.

Whichever tied action a choice takes, another one can be made the only optimal one by an arbitrarily small change. The
paper assumes gamma < 1; at gamma = 1 on acyclic MDPs nothing changes.
"""

import numpy as np

from policycliff.cliffs.ties.construction import cliff_perturbation
from policycliff.statements.facts import optimal_sets, reward_scale, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.statements.ties import MOST_RAISED, bump_claim, furthest, measured_choice, tied_members

LARGE, SMALL = 2.0**-4, 2.0**-20


def check(instance: Instance) -> Outcome:
    """Raise tied actions in turn, by changes of two sizes."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    state, members = tied_members(actions)
    scale, jumps, norms = reward_scale(mdp), [], []
    for pair in members[:MOST_RAISED].tolist():
        for share in (LARGE, SMALL):
            moved = cliff_perturbation(mdp, state, int(mdp.actions[pair]), share * scale)
            norms.append(float(np.abs(moved.rewards - mdp.rewards).max()) / (share * scale))
            after, _ = measured_choice(mdp, moved.rewards, pair)
            # Any choice of another tied action before, this one alone after: 1 minus what is left to others.
            jumps.append(np.nan if after is None else float(after[pair]))
    raised = cliff_perturbation(mdp, state, int(mdp.actions[members[-1]]), LARGE * scale)
    return Outcome(
        hypotheses=(tied_somewhere(actions),),
        claims=(
            Claim("change of the reward over epsilon", 1.0, max(norms), "<=", 1e-15),
            Claim("least total variation of a choice that took another action", 1.0, furthest(jumps, 1.0), "="),
            bump_claim(mdp, raised, int(members[-1])),
        ),
    )


STATEMENT = Statement(
    number="Prop 2.9",
    title="Every deterministic choice jumps at a tie",
    says="Where two or more actions are optimal, an arbitrarily small change of the reward makes any one the only one.",
    example="tied chain",
    check=check,
)
