"""Checks of what `perturbation_path` and `infinitesimal_bonus` are given, before any work."""

from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.exact import EXACT_ACYCLIC_LIMIT, EXACT_LIMIT, fits_exact

AUTOMATIC_LIMIT = 60
AUTOMATIC_ACYCLIC_LIMIT = 3000


def check_arguments(
    mdp: MDP, direction: Any, t_min: float, t_max: float, *, exact: bool | str, max_breakpoints: int
) -> Float64[np.ndarray, " pairs"]:
    """The direction over pairs; everything else is in range."""
    check_exact(mdp, exact=exact)
    if isinstance(max_breakpoints, bool) or not isinstance(max_breakpoints, int | np.integer) or max_breakpoints < 1:
        raise fail(
            got=f"max_breakpoints = {max_breakpoints!r}", expected="a whole number of at least 1", remedy="Try 1000."
        )
    ends = np.array([_number("t_min", t_min), _number("t_max", t_max)])
    if not ends[0] < ends[1]:
        raise fail(
            got=f"t_min = {t_min!r} and t_max = {t_max!r}",
            expected="t_min < t_max",
            remedy="Exchange or separate them.",
        )
    vector = check_direction("direction", mdp, direction)
    with np.errstate(over="ignore"):
        if not np.isfinite(np.abs(mdp.rewards) + np.abs(ends).max() * np.abs(vector)).all():
            raise fail(
                got=f"rewards that overflow between t = {t_min!r} and {t_max!r}",
                expected="R + t * direction within double precision",
                remedy="Scale the direction or shorten the interval.",
            )
    return vector


def check_direction(name: str, mdp: MDP, value: Any) -> Float64[np.ndarray, " pairs"]:
    """A change of the reward over pairs, 0 at terminal states."""
    array = as_float_vector(name, value)
    owners = mdp.pair_states
    if array.shape == (mdp.n_pairs,):
        vector = array.copy()
    elif array.shape == (mdp.n_states,):
        vector = array[owners]
    elif array.ndim == 2 and array.shape[0] == mdp.n_states and array.shape[1] > mdp.actions.max():
        vector = array[owners, mdp.actions]
    else:
        raise fail(
            got=f"`{name}` of shape {array.shape}",
            expected=f"({mdp.n_pairs},) for pairs, ({mdp.n_states},) for states or "
            f"({mdp.n_states}, {int(mdp.actions.max()) + 1}) for states and actions",
            remedy=f"Give `{name}` one entry for each pair of the MDP.",
        )
    check_finite(name, vector)
    stuck = first_true(mdp.terminal[owners] & (vector != 0.0))
    if stuck >= 0:
        raise fail(
            got=f"{vector[stuck]} in `{name}` at terminal {mdp.state_name(int(owners[stuck]))}",
            expected="0 (rewards of terminal states do not move)",
            remedy="Put the change on the pairs that enter the state.",
        )
    return frozen(vector)


def check_exact(mdp: MDP, *, exact: bool | str) -> None:
    """`exact` is True, False or "auto", and True only where the MDP is small enough."""
    if not isinstance(exact, bool | str | np.bool_) or exact not in (True, False, "auto"):
        raise fail(got=f"exact = {exact!r}", expected="True, False or 'auto'", remedy="Choose one.")
    if exact is True and not fits_exact(mdp):
        raise fail(
            got=f"exact=True for {mdp.n_states} states",
            expected=f"at most {EXACT_LIMIT}, or {EXACT_ACYCLIC_LIMIT} where the MDP is acyclic",
            remedy="Use exact=False: its brackets are proven too.",
        )


def use_exact(mdp: MDP, *, exact: bool | str) -> bool:
    """Whether to compute in fractions."""
    if exact == "auto":
        return mdp.n_states <= (AUTOMATIC_ACYCLIC_LIMIT if mdp.is_acyclic else AUTOMATIC_LIMIT)
    return bool(exact)


def _number(name: str, value: Any) -> float:
    array = as_float_vector(name, value)
    if array.ndim != 0 or not np.isfinite(array) or isinstance(value, bool):
        raise fail(got=f"{name} = {value!r}", expected="one finite number", remedy=f"Pass `{name}` as a float.")
    return float(array)
