"""Prop 2.10: with m optimal actions the uniform choice jumps by (m - 1) / m in total variation."""

import numpy as np

from policycliff.cliffs.ties.construction import cliff_perturbation
from policycliff.statements.facts import optimal_sets, reward_scale, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import state_tv
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.statements.ties import (
    MOST_RAISED,
    bump_claim,
    furthest,
    measured_choice,
    measured_members,
    tied_members,
    uniform_on,
)

SIZES = (2.0**-4, 2.0**-20)


def check(instance: Instance) -> Outcome:
    """Raise tied actions in turn, by changes of two sizes: the jump does not depend on which and how much."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    state, members = tied_members(actions)
    tied = measured_members(mdp, mdp.rewards, state)
    # More than the proven members: gaps below the measurement's error.
    before = None if np.setdiff1d(tied, members).size else uniform_on(tied, mdp.n_pairs)
    jumps: list[float] = []
    raised = cliff_perturbation(mdp, state, int(mdp.actions[members[-1]]), SIZES[0] * reward_scale(mdp))
    for pair in members[:MOST_RAISED].tolist():
        for share in SIZES:
            moved = cliff_perturbation(mdp, state, int(mdp.actions[pair]), share * reward_scale(mdp))
            after, _ = measured_choice(mdp, moved.rewards, pair)
            if before is None or after is None:
                jumps.append(np.nan)
            else:
                jumps.append(float(state_tv(mdp, before, after)[state]))
    claimed = (members.size - 1.0) / members.size
    return Outcome(
        hypotheses=(tied_somewhere(actions),),
        claims=(
            Claim("total variation of the uniform choice, each raised", claimed, furthest(jumps, claimed), "=", 1e-12),
            bump_claim(mdp, raised, int(members[-1])),
        ),
    )


STATEMENT = Statement(
    number="Prop 2.10",
    title="The uniform choice jumps by (m - 1) / m",
    says="Where m actions are optimal, arbitrarily small changes of the reward move the uniform choice by (m - 1) / m.",
    example="tied bandit",
    check=check,
)
