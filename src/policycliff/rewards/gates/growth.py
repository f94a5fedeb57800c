"""How fast the effective reward moves through a gate: the extra term in the Lipschitz constant, proven and exact.

Let all components move by at most e (sup norm) and the parameters of a `softmax_gate` by at most d (largest entry).
With w' the new weights,

    R_eff' - R_eff = sum_k w'_k (R'_k - R_k) + sum_k (w'_k - w_k) R_k,

so |R_eff' - R_eff|(s, a) <= e + D(s, a) TV(w', w), D the spread of the components. Logits move apart by at most
r = e l(s) max_kl ||A_k - A_l||_1 + 2 d ||phi(s)||_1 (`logit_range`), l(s) the Lipschitz constant of the statistic, and
a softmax whose logits over T move by a range x = r / T moves by at most

    TV <= max over p of p (1 - p) / (1 / (e^x - 1) + p) <= tanh(x / 4) <= x / 4,

p over the probabilities that a set of components has (all subsets up to 12 components; beyond, the hyperbolic
tangent). So R -> R_eff has the constant 1 + D max_kl ||A_k - A_l||_1 l / (4 T): with gain g on each own mean or largest
reward 1 + |g| D / (2 T). Two components and two actions attain the hyperbolic tangent for every e, and the constant as
e goes to 0 at a tie (docs/theory-core.md). A gate that reads no rewards has constant 1 in R.

The derivative is exact: on R_j(s, b) the coefficient of R_eff(s, a) is w_j [a = b] + c_j(s, b) beta_j(s, a),

    beta_j(s, a) = (1 / T) sum_k w_k (R_k(s, a) - R_eff(s, a)) A_kj,

c_j the derivative of the statistic; its 1-norm is the local constant. For the parameters it is phi_i(s) w_k (R_k -
R_eff) / T. Where the largest reward of a state is shared, the statistic "max" has several derivatives: the local
constant is the largest, the gradient takes the first.

A hard gate (T = 0) has TV 0 while no other logit can overtake; at a tie of m logits TV is 1 - 1 / m at most until
others can, and 1 then.

Cost: O(K^2 pairs + 2^K S).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from policycliff.rewards.gates.gated import GatedReward, statistic_coefficients, statistic_size, top_logits
from policycliff.shapes import Float64

MOST_SUBSETS = 12
ALLOWANCE = 1.0 + 1e-12

Pairs = Float64[np.ndarray, " pairs"]
States = Float64[np.ndarray, " states"]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the components (K, pairs), and of the parameters (d, K) of a `softmax_gate`, or their gradients."""

    rewards: Float64[np.ndarray, "components pairs"]
    parameters: Float64[np.ndarray, "features components"] | None

    def corner(self, epsilon: float, parameter_epsilon: float) -> "Move":
        """The corner of the ball of these sizes with the signs of this move."""
        parameters = None if self.parameters is None else parameter_epsilon * np.sign(self.parameters)
        return Move(epsilon * np.sign(self.rewards), parameters)

    def norm(self, epsilon: float, parameter_epsilon: float) -> float:
        """What a gradient gains at most within the ball of these sizes."""
        later = 0.0 if self.parameters is None else parameter_epsilon * float(np.abs(self.parameters).sum())
        return epsilon * float(np.abs(self.rewards).sum()) + later


def logit_range(gated: GatedReward, epsilon: float, parameter_epsilon: float = 0.0) -> States:
    """(S,) the most by which two logits of a state can move apart within the ball, rounding of the logits included."""
    moved = epsilon * logit_speed(gated)
    if gated.gate.features is not None:
        moved = moved + 2.0 * parameter_epsilon * np.abs(gated.gate.features).sum(axis=1)
    return np.where(moved > 0.0, moved * ALLOWANCE + 2.0 * gated.logit_error, 0.0)


def logit_speed(gated: GatedReward) -> States:
    """(S,) Lipschitz constant of the difference of two logits in the components: l(s) max_kl ||A_k - A_l||_1."""
    gain = gated.gate.gain_matrix(len(gated.components))
    apart = float(np.abs(gain[:, None] - gain[None]).sum(axis=2).max())
    return np.asarray(apart * statistic_size(gated.mdp, gated.gate))


def weight_shift(gated: GatedReward, epsilon: float, parameter_epsilon: float = 0.0) -> States:
    """(S,) bound on the total variation between the weights at the tuple and anywhere in the ball."""
    moved = logit_range(gated, epsilon, parameter_epsilon)
    temperature = gated.gate.temperature
    if temperature == 0.0:
        return _hard_shift(gated, moved)
    rounded = gated.logit_error / (2.0 * temperature) + 1e-14
    below = (gated.logits - gated.logits.max(axis=0)) / temperature
    shift = largest_shift(below - np.log(np.exp(below).sum(axis=0)), moved / temperature)
    return np.where(moved > 0.0, np.minimum(shift * ALLOWANCE + rounded, 1.0), 0.0)


def _hard_shift(gated: GatedReward, moved: States) -> States:
    """From equal shares of the largest logits to any of those that can become largest."""
    top = top_logits(gated.logits, gated.logit_error)
    near = top_logits(gated.logits, gated.logit_error + 0.5 * moved)
    shift = np.where((near & ~top).any(axis=0), 1.0, 1.0 - 1.0 / top.sum(axis=0))
    return np.where(moved > 0.0, shift, 0.0)


def largest_shift(log_weights: Float64[np.ndarray, "components states"], ranges: States) -> States:
    """(S,) sharp bound on the total variation of a softmax whose exponents move by these ranges.

    In logarithms: the weights of a cold gate underflow, and still count once the range is as large as its lead.
    """
    if len(log_weights) == 1:
        return np.zeros_like(ranges)
    if len(log_weights) > MOST_SUBSETS:
        return np.tanh(ranges / 4.0)
    # Every set without the last component and its complement, but for the empty set: each of the two may gain.
    inside, outside = np.full((1, ranges.size), -np.inf), log_weights[-1:]
    for row in log_weights[:-1]:
        inside = np.concatenate([inside, np.logaddexp(inside, row)])
        outside = np.concatenate([np.logaddexp(outside, row), outside])
    with np.errstate(divide="ignore"):
        factor = ranges + np.log1p(-np.exp(-ranges))
    gains = [np.exp(q) * expit(p + factor) for p, q in ((inside[1:], outside[1:]), (outside[1:], inside[1:]))]
    return np.asarray(np.maximum(*gains).max(axis=0))


def margin(gated: GatedReward) -> States:
    """(S,) lead of the largest logit over the next one, less rounding; 0 where they cannot be told apart."""
    if len(gated.logits) == 1:
        return np.full(gated.mdp.n_states, np.inf)
    ordered = np.sort(gated.logits, axis=0)
    tied = top_logits(gated.logits, gated.logit_error).sum(axis=0) > 1
    return np.where(tied, 0.0, np.maximum(ordered[-1] - ordered[-2] - 2.0 * gated.logit_error, 0.0))


def reward_shift(gated: GatedReward, epsilon: float, parameter_epsilon: float = 0.0) -> Pairs:
    """(pairs,) proven bound on |R_eff' - R_eff| within the ball, rounding of the computed rewards included."""
    owners = gated.mdp.pair_states
    by_gate = gated.spread * weight_shift(gated, epsilon, parameter_epsilon)[owners]
    total = (epsilon + by_gate) * ALLOWANCE
    return np.where((total > 0.0) & ~gated.mdp.terminal[owners], total + 2.0 * gated.rounding, 0.0)


def growth(gated: GatedReward) -> Pairs:
    """(pairs,) a Lipschitz constant of R -> R_eff(s, a) from this tuple to any other; inf for a hard gate."""
    extra = _per_temperature(logit_speed(gated) / 4.0, gated.gate.temperature)[gated.mdp.pair_states]
    return 1.0 + gated.spread * np.where(gated.spread > 0.0, extra, 0.0)


def parameter_growth(gated: GatedReward) -> Pairs:
    """(pairs,) a Lipschitz constant of Theta -> R_eff(s, a), in the largest entry of Theta; 0 without parameters."""
    if gated.gate.features is None:
        return np.zeros(gated.mdp.n_pairs)
    size = np.abs(gated.gate.features).sum(axis=1)
    extra = _per_temperature(size / 2.0, gated.gate.temperature)[gated.mdp.pair_states]
    return gated.spread * np.where(gated.spread > 0.0, extra, 0.0)


def local_growth(gated: GatedReward, epsilon: float = 1.0, parameter_epsilon: float = 0.0) -> Pairs:
    """(pairs,) the largest first-order move of R_eff(s, a) in the ball, exact; inf at a tie of a hard gate."""
    owners, beta = gated.mdp.pair_states, betas(gated)
    weights = gated.weights[:, owners]
    own, others = _derivative_sizes(gated)
    # Where the largest reward is shared, the statistic may follow this pair or another one.
    follows = np.abs(weights + own * beta) + others * np.abs(beta)
    total = epsilon * follows.sum(axis=0)
    if gated.gate.features is not None:
        size = np.abs(gated.gate.features).sum(axis=1)
        total += parameter_epsilon * size[owners] * np.abs(sensitivities(gated)).sum(axis=0)
    turning = (gated.gate.temperature == 0.0) & (margin(gated) == 0.0)[owners] & (gated.spread > 0.0)
    can_turn = logit_range(gated, epsilon, parameter_epsilon)[owners] > 0.0
    return np.where(turning & can_turn, np.inf, np.where(gated.mdp.terminal[owners], 0.0, total))


def sensitivities(gated: GatedReward) -> Float64[np.ndarray, "components pairs"]:
    """(K, pairs) derivative of R_eff(s, a) in the logits, w_k (R_k - R_eff) / T; 0 for a hard gate away from ties."""
    if gated.gate.temperature == 0.0:
        return np.zeros_like(gated.components)
    weights = gated.weights[:, gated.mdp.pair_states]
    return np.asarray(weights * (gated.components - gated.rewards) / gated.gate.temperature)


def betas(gated: GatedReward) -> Float64[np.ndarray, "components pairs"]:
    """(K, pairs) derivative of R_eff(s, a) in the statistics of its state."""
    return np.asarray(gated.gate.gain_matrix(len(gated.components)).T @ sensitivities(gated))


def statistic_gradient(gated: GatedReward) -> Float64[np.ndarray, "components pairs"]:
    """(K, pairs) derivative c_j of each statistic in its component; for "max" the first largest reward."""
    mdp = gated.mdp
    if not _reads_largest(gated):
        return np.broadcast_to(statistic_coefficients(mdp, gated.gate), gated.components.shape).copy()
    result = np.zeros_like(gated.components)
    largest = _largest(gated)
    for row, chosen in zip(result, largest, strict=True):
        first = np.flatnonzero(chosen)
        row[first[np.searchsorted(mdp.pair_states[first], np.arange(mdp.n_states))]] = 1.0
    return result


def pull_back(gated: GatedReward, gradient: Pairs) -> Move:
    """The gradient in the components (and parameters) of a function of R_eff with this gradient (pairs,)."""
    mdp, starts = gated.mdp, gated.mdp.offsets[:-1]
    owners = mdp.pair_states
    behind = np.add.reduceat(betas(gated) * gradient, starts, axis=1)[:, owners]
    rewards = gated.weights[:, owners] * gradient + statistic_gradient(gated) * behind
    rewards[:, mdp.terminal[owners]] = 0.0
    if gated.gate.features is None:
        return Move(rewards, None)
    logits = np.add.reduceat(sensitivities(gated) * gradient, starts, axis=1)
    return Move(rewards, gated.gate.features.T @ logits.T)


def _derivative_sizes(gated: GatedReward) -> tuple[np.ndarray, np.ndarray]:
    """For each component and pair: c_j of the pair itself and the sum of |c_j| over the other pairs of the state."""
    mdp = gated.mdp
    if _reads_largest(gated):
        largest = _largest(gated)
        count = np.add.reduceat(largest.astype(np.int64), mdp.offsets[:-1], axis=1)[:, mdp.pair_states]
        alone = largest & (count == 1)
        return alone.astype(np.float64), (~alone).astype(np.float64)
    own = np.broadcast_to(statistic_coefficients(mdp, gated.gate), gated.components.shape)
    sizes = np.add.reduceat(np.abs(own), mdp.offsets[:-1], axis=1)[:, mdp.pair_states]
    return own, np.maximum(sizes - np.abs(own), 0.0)


def _reads_largest(gated: GatedReward) -> bool:
    return isinstance(gated.gate.statistic, str) and gated.gate.statistic == "max"


def _largest(gated: GatedReward) -> np.ndarray:
    """(K, pairs) which rewards are the largest of their component and state; the given numbers are compared."""
    tops = np.maximum.reduceat(gated.components, gated.mdp.offsets[:-1], axis=1)
    return np.asarray(gated.components == tops[:, gated.mdp.pair_states])


def _per_temperature(sizes: States, temperature: float) -> States:
    """Sizes / T; at T = 0 infinite, but 0 where the size is 0."""
    if temperature > 0.0:
        return sizes / temperature
    return np.where(sizes > 0.0, np.inf, 0.0)
