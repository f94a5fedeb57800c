"""Gaussian noise on rewards: deviations of pairs or a covariance, how far it moves an advantage, and draws of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_number, check_finite, check_shape, fail
from policycliff.mdp.model import MDP
from policycliff.rewards.half_widths import check_widths
from policycliff.shapes import Float64

COVARIANCE_LIMIT = 3000
SYMMETRY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RewardNoise:
    """Noise with mean 0: deviations over pairs, and where rewards err together a factor of their covariance.

    `factor @ factor.T` is the covariance; it is None where the pairs err independently.
    """

    deviations: Float64[np.ndarray, " pairs"]
    factor: Float64[np.ndarray, "pairs rank"] | None

    def size(self, coefficients: Float64[np.ndarray, " pairs"]) -> float:
        """Standard deviation sqrt(d' Sigma d) of the noise of d . R."""
        moved = self.deviations * coefficients if self.factor is None else self.factor.T @ coefficients
        return float(np.linalg.norm(moved))

    def draw(self, rng: np.random.Generator, count: int) -> Float64[np.ndarray, "pairs draws"]:
        """Independent draws, one a column."""
        if self.factor is None:
            return np.asarray(self.deviations[:, None] * rng.standard_normal((count, self.deviations.size)).T)
        return np.asarray(self.factor @ rng.standard_normal((count, self.factor.shape[1])).T)


def make_noise(mdp: MDP, *, standard_deviation: Any, covariance: Any) -> RewardNoise:
    """Checked noise; it is 0 at terminal states.

    Raises:
        InvalidInputError: both or none given, a wrong shape, a negative number, or a matrix that is no covariance.
    """
    if (standard_deviation is None) == (covariance is None):
        raise fail(
            got="both `standard_deviation` and `covariance`" if covariance is not None else "no noise",
            expected="one of `standard_deviation` and `covariance`",
            remedy="Pass standard_deviation=0.1 for independent errors of that size.",
        )
    alive = (~mdp.terminal[mdp.pair_states]).astype(np.float64)
    if covariance is None:
        if isinstance(standard_deviation, bool):
            as_number("standard_deviation", standard_deviation)
        given = as_float_vector("standard_deviation", standard_deviation)
        whole = np.full(mdp.n_pairs, float(given)) if given.ndim == 0 else given
        return RewardNoise(frozen(check_widths("standard_deviation", whole, mdp) * alive), None)
    matrix = _checked(covariance, mdp) * alive[:, None] * alive
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -SYMMETRY * max(values[-1], 0.0) or values[-1] < 0.0:
        raise fail(
            got=f"a `covariance` with eigenvalue {values[0]}",
            expected="a positive semidefinite matrix",
            remedy="Estimate it from samples, or set negative eigenvalues to 0.",
        )
    # Eigenvalues that are rounding would break ties which the noise leaves alone.
    kept = values > values.size * 2.0**-50 * max(values[-1], 0.0)
    factor = vectors[:, kept] * np.sqrt(values[kept])
    return RewardNoise(frozen(np.sqrt(np.maximum(np.diag(matrix), 0.0))), frozen(factor))


def _checked(covariance: Any, mdp: MDP) -> Float64[np.ndarray, "pairs pairs"]:
    """A dense, finite, symmetric matrix of the right size."""
    if mdp.n_pairs > COVARIANCE_LIMIT:
        raise fail(
            got=f"a covariance for {mdp.n_pairs} pairs",
            expected=f"at most {COVARIANCE_LIMIT}",
            remedy="Pass standard_deviation=(pairs,) for independent errors.",
        )
    dense = covariance.toarray() if hasattr(covariance, "toarray") else covariance
    matrix = as_float_vector("covariance", dense)
    check_shape("covariance", matrix, (mdp.n_pairs, mdp.n_pairs), meaning="one row and one column a pair")
    check_finite("covariance", matrix)
    asymmetry = np.abs(matrix - matrix.T)
    if asymmetry.max() > SYMMETRY * np.abs(matrix).max():
        where = tuple(int(i) for i in np.unravel_index(int(asymmetry.argmax()), matrix.shape))
        raise fail(
            got=f"`covariance` that differs from its transpose at {where}",
            expected="a symmetric matrix",
            remedy="Use (C + C.T) / 2.",
        )
    return 0.5 * (matrix + matrix.T)
