"""Which states count where only behaviour from the initial distribution does."""

import numpy as np

from policycliff.mdp.kernels import reached_states
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool
from policycliff.values.chain import Chain

States = Bool[np.ndarray, " states"]


def reached_from_start(mdp: MDP, chain: Chain) -> tuple[States, States]:
    """States (masks) that some policy reaches with a positive discounted weight, and those that this chain reaches.

    At gamma = 0 both are the initial states: what comes later counts for nothing.
    """
    seeds = np.zeros(mdp.n_states, dtype=bool) if mdp.initial is None else mdp.initial > 0.0
    if mdp.gamma == 0.0:
        return seeds, seeds
    some = reached_states(mdp.first_successors, mdp.successors, seeds)
    return np.asarray(some), np.asarray(reached_states(chain.indptr, chain.successors, seeds))
