"""An MDP with some of its pairs left out: the MDP restricted to sets of actions such as A*(.; R).

What is optimal among optimal policies is the optimum of another reward on the MDP restricted to A*: the right limit at
a breakpoint (Result 2) and the price of degeneracy (Result 6) are both of this form. Cost: O(nonzeros).
"""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_mask, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Restriction:
    """A restricted MDP, and which pairs of the whole one (`pairs`, ascending) it keeps."""

    mdp: MDP
    pairs: Int64[np.ndarray, " kept"]
    n_pairs: int

    def widen(self, policy: Float64[np.ndarray, " kept"]) -> Float64[np.ndarray, " pairs"]:
        """A policy (or any vector) over the kept pairs as one over all pairs, 0 elsewhere."""
        whole = np.zeros(self.n_pairs)
        whole[self.pairs] = policy
        return frozen(whole)


def restrict(
    mdp: MDP, members: Bool[np.ndarray, " pairs"], *, rewards: Float64[np.ndarray, " pairs"] | None = None
) -> Restriction:
    """The MDP in which only the member pairs are available.

    Args:
        mdp: the MDP.
        members: (pairs,) which pairs to keep; at least one in each state.
        rewards: (pairs,) another reward over the pairs of the whole MDP; what it holds at terminal states counts as 0.

    Returns:
        The restricted MDP with its pairs; gamma, states and initial distribution are those of the whole.

    Raises:
        InvalidInputError: a state keeps no pair, or `members` is not a mask over pairs.
    """
    kept = check_mask("members", members, (mdp.n_pairs,), meaning="one entry a pair")
    counts = np.add.reduceat(kept.astype(np.int64), mdp.offsets[:-1])
    empty = first_true(counts == 0)
    if empty >= 0:
        raise fail(
            got=f"no member pair in {mdp.state_name(empty)}",
            expected="at least one pair in each state",
            remedy="A* is never empty (Lemma 2.5): check how the members were chosen.",
        )
    pairs = np.flatnonzero(kept)
    lengths = np.diff(mdp.indptr)
    entries = np.repeat(kept, lengths)
    reward = mdp.rewards if rewards is None else np.where(mdp.terminal[mdp.pair_states], 0.0, rewards)
    smaller = replace(
        mdp,
        offsets=frozen(np.concatenate([[0], np.cumsum(counts)])),
        actions=frozen(mdp.actions[pairs]),
        indptr=frozen(np.concatenate([[0], np.cumsum(lengths[pairs])]).astype(mdp.indptr.dtype)),
        successors=frozen(mdp.successors[entries]),
        probabilities=frozen(mdp.probabilities[entries]),
        rewards=frozen(reward[pairs]),
    )
    return Restriction(mdp=smaller, pairs=frozen(pairs), n_pairs=mdp.n_pairs)
