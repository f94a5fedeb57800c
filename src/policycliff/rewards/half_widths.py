"""The ball of rewards |D| <= e u: half-widths u over pairs, from a mask or as given, 0 where terminal."""

from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, check_finite, check_mask, check_shape, fail
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64


def ball_half_widths(mdp: MDP, *, mask: Any, half_widths: Any) -> Float64[np.ndarray, " pairs"]:
    """A new vector of half-widths over pairs from one of the two arguments (1 without any), 0 at terminal states.

    Raises:
        InvalidInputError: both are given, a mask that is no mask, or a half-width that is negative or not finite.
    """
    if mask is not None and half_widths is not None:
        raise fail(got="both `mask` and `half_widths`", expected="at most one", remedy="Set half-widths to 0 instead.")
    if mask is not None:
        widths = check_mask("mask", mask, (mdp.n_pairs,), meaning="one entry a pair").astype(np.float64)
    elif half_widths is not None:
        widths = check_widths("half_widths", half_widths, mdp)
    else:
        widths = np.ones(mdp.n_pairs)
    widths[mdp.terminal[mdp.pair_states]] = 0.0
    return widths


def check_widths(name: str, value: Any, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
    """A new vector over pairs of finite numbers of at least 0."""
    widths = as_float_vector(name, value).copy()
    check_shape(name, widths, (mdp.n_pairs,), meaning="one number a pair")
    check_finite(name, widths)
    if (widths < 0.0).any():
        raise fail(
            got=f"{name.replace('_', '-').rstrip('s')} {widths.min()} at pair {int(widths.argmin())}",
            expected="at least 0",
            remedy="A 0 freezes the reward of the pair.",
        )
    return widths
