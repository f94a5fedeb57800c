"""STARC distances (Skalse et al. 2024): d = ||s(R1) - s(R2)||_m, s(R) = c(R) / ||c(R)||_n, or 0 where c(R) is 0.

c is linear, and c(R1) = c(R2) exactly where R1 and R2 differ by potential shaping and by a redistribution over next
states with the same mean. Two such c are here:

- "value": c(R)(s, a, s') = A^pi(s, a) = R(s, a) + gamma E V^pi(S') - V^pi(s) for a fixed policy pi.
- "minimal": of all rewards over transitions that differ from R by shaping and redistribution, the one of least 2-norm.
  For a mean z(s, a) of a pair the cheapest redistribution is z P(s' | s, a) / ||P(. | s, a)||_2^2, so it is the least
  squares problem min_Phi ||W (R + gamma P Phi - Phi)||_2 with W = 1 / ||P(. | s, a)||_2, Phi = 0 at terminal states.

Norms are over all transitions (s, a, s') of states that are not terminal, as in the paper: the entries of "value"
stand S times each, which changes a distance only where n and m differ. Both are functions of z over pairs: the norm of
z times a number for each pair.

Error. Normalising errs by at most (error_m + K error_n) / ||c||_n, K the largest ||.||_m / ||.||_n. For "minimal": let
g be the gradient (W B)' W z that is left, B = gamma P - E; then (2-norm error of W z) <= horizon * ||g||_1, because
||B Phi||_inf >= ||Phi||_inf / horizon (follow any policy) and W >= 1.

Cost: "value" an evaluation of the policy for each reward; "minimal" a sparse factorisation up to 3000 states, LSMR
beyond.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr, splu

from policycliff.mdp.model import MDP
from policycliff.rewards.distances.forms import UNIT_ROUNDOFF, GivenReward
from policycliff.rewards.distances.result import CERTIFIED, UNRESOLVED
from policycliff.rewards.distances.standardised import sum_rounding
from policycliff.shapes import Float64
from policycliff.values.chain import DIRECT_LIMIT
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import amplification

VALUE, MINIMAL = "value", "minimal"
NORMS = ("1", "2", "inf")
REFINEMENTS = 3

Pairs = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """c(R) as its means z over pairs of states that are not terminal.

    Attributes:
        means: z.
        errors: by norm, a bound on that norm of the error of c(R).
        is_zero: whether c(R) is known to be 0.
    """

    means: Pairs
    errors: dict[str, float]
    is_zero: bool


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Norms over transitions of a canonical reward, from its means: by norm, one factor a pair."""

    factors: dict[str, Pairs]
    transitions: float

    def __call__(self, norm: str, means: Pairs) -> float:
        """The norm."""
        sizes = np.abs(means) * self.factors[norm]
        if norm == "inf":
            return float(sizes.max(initial=0.0))
        return float(sizes.sum() if norm == "1" else np.sqrt((sizes**2).sum()))

    def ratio(self, metric: str, norm: str) -> float:
        """The largest ||.||_m / ||.||_n over so many transitions."""
        powers = {"1": 1.0, "2": 0.5, "inf": 0.0}
        return float(self.transitions ** max(powers[metric] - powers[norm], 0.0))


def make_norms(mdp: MDP, canonical: str) -> Norms:
    """The norms of this canonical form; "value" is the same for each of the S next states."""
    alive = _alive(mdp)
    if canonical == VALUE:
        ones, n = np.ones(int(alive.sum())), float(mdp.n_states)
        return Norms({"1": n * ones, "2": np.sqrt(n) * ones, "inf": ones}, n * ones.size)
    starts = mdp.indptr[:-1][alive]
    squares = np.add.reduceat(mdp.probabilities**2, starts)
    sums = np.add.reduceat(mdp.probabilities, starts)
    largest = np.maximum.reduceat(mdp.probabilities, starts)
    factors = {"1": sums / squares, "2": 1.0 / np.sqrt(squares), "inf": largest / squares}
    return Norms(factors, float(mdp.probabilities.size))


def starc_distance(
    first: Canonical, second: Canonical, norms: Norms, *, norm: str, metric: str
) -> tuple[float, float, str, tuple[float, float]]:
    """(distance, error bound, status, the two n-norms)."""
    scales = [0.0 if c.is_zero else norms(norm, c.means) for c in (first, second)]
    settled = [c.is_zero or size > 2.0 * c.errors[norm] for c, size in zip((first, second), scales, strict=True)]
    scales = [size if known else 0.0 for size, known in zip(scales, settled, strict=True)]
    standard = [
        c.means / size if size > 0.0 else np.zeros_like(c.means)
        for c, size in zip((first, second), scales, strict=True)
    ]
    value, ratio = norms(metric, standard[0] - standard[1]), norms.ratio(metric, norm)
    if not all(settled):
        return value, max(value, 2.0 * ratio - value), UNRESOLVED, (scales[0], scales[1])
    rounding = 4.0 * (sum_rounding(first.means.size))
    error = rounding * (value + 2.0 * ratio)
    for c, size in zip((first, second), scales, strict=True):
        error += (c.errors[metric] + ratio * c.errors[norm]) / size if size > 0.0 else 0.0
    return value, error, CERTIFIED, (scales[0], scales[1])


def value_canonical(mdp: MDP, reward: GivenReward, norms: Norms, *, policy: Pairs) -> Canonical:
    """A^pi, the value-adjusted levelling of the paper."""
    found = evaluate(mdp, policy, rewards=reward.pairs)
    size = float(np.abs(found.q_values).max() + np.abs(found.values).max())
    entry = 2.0 * found.error_bound + 2.0 * UNIT_ROUNDOFF * size + 2.0 * reward.error * amplification(mdp)
    means = found.advantages(mdp)[_alive(mdp)]
    ones = np.full(means.size, entry)
    return Canonical(means, {norm: norms(norm, ones) for norm in NORMS}, _is_zero(reward))


def minimal_canonical(mdp: MDP, reward: GivenReward, norms: Norms) -> Canonical:
    """The reward of least 2-norm that differs by shaping and redistribution: weighted least squares over potentials."""
    alive, weights = _alive(mdp), norms.factors["2"]
    shaping = shaping_matrix(mdp)
    scaled = sp.csr_array(sp.diags_array(weights) @ shaping)
    potential = _least_squares(scaled, weights * reward.pairs[alive])
    means = reward.pairs[alive] + shaping @ potential
    gradient = np.asarray(scaled.T @ (weights * means))
    # Rounding: of the means themselves, and of the gradient from which their distance to the minimum is bounded.
    longest = float(np.diff(mdp.indptr).max()) + 4.0
    sizes = np.abs(reward.pairs[alive]) + abs(shaping) @ np.abs(potential)
    entries = longest * UNIT_ROUNDOFF * sizes + reward.error
    columns = float(np.diff(scaled.tocsc().indptr).max(initial=0)) + 8.0
    missing = float((np.abs(gradient) + columns * UNIT_ROUNDOFF * (abs(scaled).T @ (weights * np.abs(means)))).sum())
    spread = float((abs(scaled).T @ (weights * entries)).sum())
    distance = amplification(mdp) * (missing + spread) * (1.0 + 1e-9) + norms("2", entries)
    errors = {norm: norms.ratio(norm, "2") * distance for norm in NORMS}
    return Canonical(means, errors, _is_zero(reward))


def shaping_matrix(mdp: MDP) -> sp.csr_array:
    """B = gamma P - E over pairs and states that are not terminal: B Phi is shaping with Phi = 0 at terminals."""
    size = mdp.n_pairs
    owners = sp.csr_array((np.ones(size), (np.arange(size), mdp.pair_states)), shape=(size, mdp.n_states))
    whole = sp.csr_array(mdp.gamma * mdp.transitions - owners)
    return sp.csr_array(whole[np.flatnonzero(_alive(mdp))][:, np.flatnonzero(~mdp.terminal)])


def _least_squares(matrix: sp.csr_array, right: Pairs) -> Float64[np.ndarray, " free"]:
    """Phi with matrix @ Phi + right of least 2-norm."""
    if not right.any():
        return np.zeros(matrix.shape[1])
    if matrix.shape[1] > DIRECT_LIMIT:
        return np.asarray(lsmr(matrix, -right, atol=1e-15, btol=1e-15, conlim=0.0, maxiter=20_000)[0])
    factors = splu(sp.csc_array(matrix.T @ matrix))
    potential = np.zeros(matrix.shape[1])
    for _ in range(REFINEMENTS):
        potential -= factors.solve(matrix.T @ (matrix @ potential + right))
    return potential


def _alive(mdp: MDP) -> np.ndarray:
    """(pairs,) which pairs belong to states that are not terminal."""
    return np.asarray(~mdp.terminal[mdp.pair_states])


def _is_zero(reward: GivenReward) -> bool:
    """Whether the reward is 0 everywhere, and with it every canonical form."""
    return reward.error == 0.0 and bool((reward.pairs == 0.0).all())
