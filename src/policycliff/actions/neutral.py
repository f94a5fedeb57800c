"""Ties that hold under every mixture of several rewards, proven by lumping states on all components at once.

Keep of every state the pairs that may be optimal. Let the states be partitioned so that all pairs of a block's states
pay the same in every component and put the same probability mass into each block. Then all policies that take kept
pairs only have the same value in every component: start from v = 0 and apply the operator of any of them. A tie
between such pairs cannot be broken by a change of the mixture weights: it is neutral.

Source: as `policycliff.actions.partition`, with the tuple of rewards in place of the reward.
"""

import numpy as np

from policycliff.actions.partition import prove, refine, states_reaching, worthless_states
from policycliff.mdp.compilation import frozen
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool, Float64
from policycliff.values.solution import Solution


def neutral_states(
    solution: Solution, rewards: Float64[np.ndarray, "components pairs"], members: Bool[np.ndarray, " pairs"]
) -> Bool[np.ndarray, " states"]:
    """(states,) where all policies that take members only provably have the same value under every component.

    Args:
        solution: a solved MDP. Its values speed the search up; nothing rests on them.
        rewards: (components, pairs) the tuple.
        members: (pairs,) the pairs that count, at least one a state.
    """
    mdp = solution.mdp
    open_states = np.add.reduceat(members.astype(np.int64), mdp.offsets[:-1]) > 1
    if not open_states.any():
        return np.ones(mdp.n_states, dtype=bool)
    kept = restrict(mdp, members)
    labelled = kept.mdp.with_rewards(_labels(rewards[:, kept.pairs]))
    worthless = worthless_states(labelled, np.zeros(mdp.n_states), 0.0)
    blocks = refine(
        labelled,
        values=solution.values,
        error=solution.error_bound,
        worthless=frozen(worthless),
        open_states=frozen(open_states & ~worthless),
    )
    if blocks is None:
        return np.asarray(~states_reaching(labelled, open_states & ~worthless))
    classes = prove(labelled, blocks)
    first = labelled.offsets[:-1]
    alike = np.ones(mdp.n_states, dtype=bool)
    for labels in (classes.masses, labelled.rewards):
        alike &= np.maximum.reduceat(labels, first) == np.minimum.reduceat(labels, first)
    return np.asarray(~states_reaching(labelled, ~(worthless | (classes.proven & alike))))


def _labels(rewards: Float64[np.ndarray, "components pairs"]) -> Float64[np.ndarray, " pairs"]:
    """A number for each distinct tuple, 0 for the one of zeros."""
    # Adding 0 turns -0 into 0, which is the same reward.
    _, labels = np.unique(rewards.T + 0.0, axis=0, return_inverse=True)
    return frozen(np.where(rewards.any(axis=0), 1.0 + labels.reshape(-1), 0.0))
