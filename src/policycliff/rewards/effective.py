"""The effective reward of section 4.1: the mixture R_eff(s, a) = sum_k w_k(s) R_k(s, a).

Lemma 4.2: with weights w_k(s) that are non-negative and sum to 1 in each state, R -> R_eff is 1-Lipschitz from
max_k sup|R_k| to sup|R_eff|. Trainers use raw weights (a sum of 3, a negative length weight): any finite weights are
taken here, and then the Lipschitz constant is max_s sum_k |w_k(s)| (`mixture_modulus`). Cost: O(K * pairs).
"""

from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, check_finite, fail
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64


def effective_reward(rewards: Any, weights: Any, *, mdp: MDP | None = None) -> Float64[np.ndarray, "*shape"]:
    """R_eff(s, a) = sum_k w_k(s) R_k(s, a) (section 4.1, Lemma 4.2).

    Args:
        rewards: K components, (K, pairs) or (K, S, A); any units, one after the other on the first axis.
        weights: (K,) constant weights, or (K, S) weights that depend on the state; finite, of any sign.
        mdp: needed where weights depend on the state and rewards are vectors over pairs.

    Returns:
        The effective reward, of the shape of one component.

    Raises:
        InvalidInputError: shapes that do not match, numbers that are not finite, or a missing `mdp`.

    Example:
        >>> effective_reward([[1.0, 0.0], [0.0, 4.0]], [0.5, 0.5])
        array([0.5, 2. ])
    """
    components = as_float_vector("rewards", rewards)
    mixture = as_float_vector("weights", weights)
    check_finite("rewards", components)
    check_finite("weights", mixture)
    if components.ndim not in {2, 3} or mixture.ndim not in {1, 2} or mixture.shape[0] != components.shape[0]:
        raise fail(
            got=f"`rewards` of shape {components.shape} and `weights` of shape {mixture.shape}",
            expected="(K, pairs) or (K, S, A), and (K,) or (K, S)",
            remedy="Put the K components on the first axis of both.",
        )
    if mixture.ndim == 1:
        return np.asarray(np.tensordot(mixture, components, axes=1))
    return np.asarray((_over_pairs(mixture, components, mdp) * components).sum(axis=0))


def mixture_modulus(weights: Any) -> float:
    """Lipschitz constant of the mixture, max_s sum_k |w_k(s)|; 1 for convex weights (Lemma 4.2)."""
    mixture = as_float_vector("weights", weights)
    check_finite("weights", mixture)
    return float(np.abs(mixture).sum(axis=0).max())


def _over_pairs(
    mixture: Float64[np.ndarray, "components states"], components: np.ndarray, mdp: MDP | None
) -> np.ndarray:
    """State-dependent weights, spread to the shape of the components."""
    if components.ndim == 3:
        expected = components.shape[1]
        spread = mixture[:, :, None]
    elif mdp is None:
        raise fail(
            got="weights that depend on the state, rewards over pairs, and no MDP",
            expected="`mdp`, which says which pair belongs to which state",
            remedy="Pass mdp=..., or rewards of shape (K, S, A).",
        )
    else:
        expected = mdp.n_states
        spread = mixture
    if mixture.shape[1] != expected:
        raise fail(
            got=f"weights for {mixture.shape[1]} states", expected=f"{expected} states", remedy="Check the axes."
        )
    if components.ndim == 3 or mdp is None:
        return spread
    if components.shape[1] != mdp.n_pairs:
        raise fail(
            got=f"rewards over {components.shape[1]} pairs",
            expected=f"{mdp.n_pairs}, the pairs of the MDP",
            remedy="Use the order of mdp.pair_states and mdp.actions.",
        )
    return spread[:, mdp.pair_states]
