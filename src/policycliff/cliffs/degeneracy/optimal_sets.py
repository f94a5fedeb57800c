"""The sets A*(s; R) from which a policy may choose, decided as far as it is cheap, and the states they lead to.

A set is settled where it is proven to be A*(s); elsewhere it contains A*(s) and perhaps more. Unresolved sets of small
MDPs are decided in rational arithmetic without being asked.
"""

import numpy as np

from policycliff.actions.kernels import UNRESOLVED
from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.mdp.kernels import reached_states
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool
from policycliff.values.solution import Solution
from policycliff.values.solve import solve, tight_tolerance

# Unresolved states of MDPs up to this size are decided in rational arithmetic.
AUTOMATIC_EXACT_LIMIT = 40


def settled_actions(mdp: MDP, *, exact: bool) -> OptimalActions:
    """Sets of optimal actions: in fractions if asked for, or where the MDP is small and floats leave them open.

    Raises:
        InvalidInputError: `exact` for an MDP that is too large for it.
    """
    return settled(solve(mdp, tolerance=tight_tolerance(mdp.rewards)), exact=exact)


def settled(solution: Solution, *, exact: bool) -> OptimalActions:
    """The same from a solution."""
    if exact:
        return optimal_actions(solution, exact=True)
    actions = optimal_actions(solution)
    if not actions.is_resolved and solution.mdp.n_states <= AUTOMATIC_EXACT_LIMIT:
        return optimal_actions(solution, exact=True)
    return actions


def open_states(actions: OptimalActions) -> Bool[np.ndarray, " states"]:
    """(states,) where the set may be larger than A*."""
    return np.asarray(actions.codes == UNRESOLVED)


def reached_within(mdp: MDP, members: Bool[np.ndarray, " pairs"]) -> Bool[np.ndarray, " states"]:
    """(states,) which states some policy that chooses among the members visits with a positive discounted weight.

    At gamma = 0 these are the initial states only: what comes later counts for nothing.
    """
    seeds = np.zeros(mdp.n_states, dtype=bool) if mdp.initial is None else mdp.initial > 0.0
    if mdp.gamma == 0.0:
        return seeds
    smaller = restrict(mdp, members).mdp
    return np.asarray(reached_states(smaller.first_successors, smaller.successors, seeds))
