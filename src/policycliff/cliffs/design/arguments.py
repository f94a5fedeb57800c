"""The arguments of a design, checked before any work."""

from typing import Any

import numpy as np

from policycliff.cliffs.design.task import ORDERS
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import (
    as_float_vector,
    as_number,
    check_choice,
    check_finite,
    check_mask,
    check_shape,
    fail,
    first_true,
)
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64
from policycliff.values.regularizers import check_policy

MEASURES = ("change", "coefficients")
DEFAULT_MARGIN = 0.01
DEPENDENT = 1e-9


def check_target(target: Any, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
    """A deterministic policy over pairs."""
    policy = frozen(check_policy("target_policy", target, mdp))
    mixed = first_true(~np.isin(policy, (0.0, 1.0)))
    if mixed >= 0:
        where = mdp.state_name(int(mdp.pair_states[mixed]))
        raise fail(
            got=f"probability {policy[mixed]} at {where}",
            expected="a deterministic target (probabilities 0 and 1): only that can be uniquely optimal",
            remedy="Round the policy; for rewards under which a stochastic one is optimal see feasible_rewards.",
        )
    return policy


def check_margin(margin: Any, mdp: MDP) -> float:
    """A margin of at least 0; None means 1 % of the largest reward (0.01 if all are 0)."""
    if margin is None:
        return DEFAULT_MARGIN * (float(np.abs(mdp.rewards).max()) or 1.0)
    if not 0.0 <= as_number("margin", margin) < np.inf:
        raise fail(got=f"margin = {margin!r}", expected="a finite number of at least 0", remedy="Try 0.1.")
    return float(margin)


def check_norm(norm: Any) -> str:
    """One of the three norms."""
    return check_choice("norm", norm, tuple(ORDERS))


def check_allowed(allowed: Any, mdp: MDP) -> Bool[np.ndarray, " pairs"]:
    """(pairs,) whose reward may change: never those of terminal states."""
    alive = ~mdp.terminal[mdp.pair_states]
    if allowed is None:
        return alive
    return alive & check_mask("allowed", allowed, (mdp.n_pairs,), meaning="one entry a pair")


def check_features(
    features: Any, measure: str, mdp: MDP, free: Bool[np.ndarray, " pairs"]
) -> Float64[np.ndarray, "features pairs"] | None:
    """(features, pairs), 0 where not free, linearly independent there; None without features."""
    check_choice("measure", measure, MEASURES)
    if features is None:
        if measure != "change":
            raise fail(
                got=f"measure = {measure!r} without features",
                expected="`features`, whose coefficients are measured",
                remedy="Pass features=(features, pairs), or leave `measure` out.",
            )
        return None
    matrix = as_float_vector("features", features)
    if matrix.ndim != 2 or not len(matrix):
        raise fail(
            got=f"`features` of shape {matrix.shape}",
            expected=f"shape (features, {mdp.n_pairs}), one number a pair",
            remedy="Put each feature in a row.",
        )
    check_shape("features", matrix, (len(matrix), mdp.n_pairs), meaning="one row a feature, one number a pair")
    check_finite("features", matrix)
    masked = np.where(free, matrix, 0.0)
    _check_independent(masked)
    return masked


def _check_independent(features: Float64[np.ndarray, "features pairs"]) -> None:
    """Raise on the first feature that others already span on the free pairs."""
    sizes = np.linalg.norm(features, axis=1)
    scaled = features / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    triangle = np.linalg.qr(scaled.T).R
    diagonal = np.zeros(len(features))
    diagonal[: min(triangle.shape)] = np.abs(np.diagonal(triangle))
    bad = first_true(diagonal <= DEPENDENT)
    if bad >= 0:
        raise fail(
            got=f"feature {bad}, which on the allowed pairs is 0 or a combination of the features before it",
            expected="linearly independent features, else their coefficients mean nothing",
            remedy=f"Drop feature {bad}.",
        )
