"""A proven bound on the shift of the soft policy of this MDP, tight to first order (beyond Result 4).

Let dQ be the change of the soft Q-values for a change D of the reward, and sigma(s) a bound on the span of dQ(s, .).

1. The soft maximum changes by V1 - V0 = pi dQ + xi with 0 <= xi(s) <= X(s), the largest cumulant
   alpha log E exp(x / alpha) - E x of a variable of range sigma(s) under pi(.|s). It is convex in x, so the extreme x
   has two values: X = alpha * max over p of log(1 + p (e^d - 1)) - p d, d = sigma / alpha, p a probability that a set
   of actions can have: never between 1 - max pi and max pi (`others` and 1 - `others`). By Hoeffding
   X <= sigma^2 / (8 alpha).
2. So dQ(s, a) - dQ(s, b) = (c_a - c_b) . D + gamma (P_a - P_b) M xi with the derivative c of `jacobian`,
   and sigma(s) <= max over a, b of epsilon ||c_a - c_b|| + sum over s' of [gamma (P_a - P_b) M]_+ X(s').
   Starting from any valid sigma (the horizon or mixing bound) every repetition gives a valid one.
3. A Gibbs measure whose exponents change by a range d moves by at most max over p of p (1 - p) / (1 / (e^d - 1) + p),
   at most tanh(d / 4). And TV <= epsilon * (local modulus) + (1/4 alpha) (range of gamma P M xi) + sigma^2 / (8
   alpha^2), by the second derivative of a Gibbs probability, a covariance of a set and a square. The least of all of
   it is reported.

As epsilon goes to 0 the bound divided by epsilon goes to the local modulus, which no bound can be below. The computed
policy is that of Q-values within the solver's error e: everything holds around it, with e_pi = tanh(e / (2 alpha))
added where it enters. Rounding is covered by a relative allowance of 1e-9.

Cost: as the derivative at all states, plus actions^2 * S numbers for each state; done while these are few.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.soft.jacobian import StateRows
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64

ALLOWANCE = 1.0 + 1e-9
ROUNDS = 30
LARGE_RANGE = 600.0
ENTRY_LIMIT = 4e6
"""Numbers (ordered pairs of actions times states) up to which the bound is computed."""


@dataclass(frozen=True, slots=True)
class PairRows:
    """For every ordered pair of actions of a state, one after another, grouped by state.

    Attributes:
        states: (choices,) the states that have a choice, and
        starts: (choices,) where their pairs of actions begin.
        first_order: (rows,) ||c_a - c_b|| weighted by half-widths.
        carried: (rows, S) positive part of gamma (P_a - P_b) M.
        size: (rows,) its L1 norm before the positive part was taken.
        slack: (rows,) bound on the error of the rows in L1.
    """

    states: np.ndarray
    starts: np.ndarray
    first_order: Float64[np.ndarray, " rows"]
    carried: Float64[np.ndarray, "rows states"]
    size: Float64[np.ndarray, " rows"]
    slack: Float64[np.ndarray, " rows"]


def affordable(mdp: MDP) -> bool:
    """Whether the bound is computed for an MDP of this size."""
    sizes = np.diff(mdp.offsets).astype(np.float64)
    return float((sizes * (sizes - 1.0)).sum()) * mdp.n_states <= ENTRY_LIMIT


def pair_rows(
    mdp: MDP,
    rows: list[StateRows],
    half_widths: Float64[np.ndarray, " pairs"],
    mean_widths: Float64[np.ndarray, " states"],
) -> PairRows:
    """Differences between the rows of all pairs of actions, for states with a choice."""
    first_order, carried, size, slack, counts = [], [], [], [], []
    widest = float(half_widths.max(initial=0.0))
    for block in rows:
        own = half_widths[int(mdp.offsets[block.state]) : int(mdp.offsets[block.state + 1])]
        a, b = np.nonzero(~np.eye(block.policy.size, dtype=bool))
        weighted, later = block.weighted(own, mean_widths), block.later[a] - block.later[b]
        error = block.error[a] + block.error[b]
        first_order.append(np.abs(weighted[a] - weighted[b]).sum(axis=1) + error * widest)
        carried.append(np.maximum(later, 0.0))
        size.append(np.abs(later).sum(axis=1) + error)
        slack.append(error)
        counts.append(a.size)
    return PairRows(
        states=np.array([block.state for block in rows], dtype=np.int64),
        starts=np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64),
        first_order=np.concatenate(first_order),
        carried=np.concatenate(carried),
        size=np.concatenate(size),
        slack=np.concatenate(slack),
    )


def certified_shift(
    pairs: PairRows,
    *,
    epsilon: float,
    temperature: float,
    span: Float64[np.ndarray, " states"],
    others: Float64[np.ndarray, " states"],
    local: Float64[np.ndarray, " states"],
    policy_error: float,
) -> Float64[np.ndarray, " states"]:
    """(states,) proven bound on the total variation in each state for all rewards within epsilon.

    Args:
        pairs: differences between rows, at all states with a choice.
        epsilon: radius of the ball.
        temperature: alpha.
        span: (states,) a valid bound on the span of dQ(s, .) to start from; 0 where there is no choice.
        others: (states,) probability of all actions but the likeliest under the soft optimum, rounded up.
        local: (states,) upper end of the local modulus (total variation per unit of epsilon).
        policy_error: bound on the total variation between the computed policy and the soft optimum.
    """
    sigma, rest = span.copy(), np.zeros(pairs.states.size)
    for _ in range(ROUNDS):
        cumulant = largest_cumulant(sigma / temperature, others) * temperature
        wobble = policy_error * float(sigma.max(initial=0.0))
        later = pairs.carried @ cumulant + pairs.slack * float(cumulant.max(initial=0.0)) + pairs.size * wobble
        found = np.maximum.reduceat(epsilon * pairs.first_order + later, pairs.starts) * ALLOWANCE
        rest = np.maximum.reduceat(later, pairs.starts) * ALLOWANCE
        smaller = np.minimum(sigma[pairs.states], found)
        done = bool((smaller >= 0.999 * sigma[pairs.states]).all())
        sigma[pairs.states] = smaller
        if done:
            break
    range_ = sigma / temperature
    gibbs = largest_gibbs_shift(range_, others)
    second = np.zeros_like(sigma)
    second[pairs.states] = rest / (4.0 * temperature)
    expansion = (epsilon * local + second + range_**2 / 8.0) * ALLOWANCE
    shift = np.minimum(np.minimum(gibbs, expansion) + 2.0 * policy_error + 1e-15, 1.0)
    return np.where(span > 0.0, shift, 0.0)


def largest_cumulant(
    range_: Float64[np.ndarray, " states"], others: Float64[np.ndarray, " states"]
) -> Float64[np.ndarray, " states"]:
    """The maximum over p of log(1 + p (e^d - 1)) - p d, p outside (others, 1 - others), rounded up."""
    d = np.maximum(range_, 1e-300)
    with np.errstate(over="ignore"):
        peak = np.where(d < 1e-3, 0.5 - d / 12.0, 1.0 / d - 1.0 / np.expm1(np.maximum(d, 1e-3)))
    low, high = _allowed(peak, np.where(range_ < LARGE_RANGE, others, 1.0))
    value = np.maximum(_cumulant(low, d), _cumulant(high, d))
    return np.asarray(np.minimum(value * ALLOWANCE + 1e-15, d**2 / 8.0 * ALLOWANCE))


def _cumulant(p: Float64[np.ndarray, " n"], d: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp(np.log1p(-p), np.log(p) + d) - p * d)


def largest_gibbs_shift(
    range_: Float64[np.ndarray, " states"], others: Float64[np.ndarray, " states"]
) -> Float64[np.ndarray, " states"]:
    """The maximum over p of p e^d / (1 + p (e^d - 1)) - p, p outside (others, 1 - others); at most tanh(d / 4)."""
    d = np.clip(range_, 1e-300, 700.0)
    # Probabilities below the smallest float are not 0: beyond its logarithm nothing is excluded.
    low, high = _allowed(1.0 / (1.0 + np.exp(0.5 * d)), np.where(range_ < LARGE_RANGE, others, 1.0))
    shift = np.maximum(*(p * (1.0 - p) / (1.0 / np.expm1(d) + p) for p in (low, high)))
    return np.asarray(np.minimum(shift * ALLOWANCE, np.tanh(0.25 * range_)))


def _allowed(
    peak: Float64[np.ndarray, " n"], others: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """The peak of a concave function of p, moved into [0, others] and into [1 - others, 1]."""
    return np.minimum(peak, np.minimum(others, 1.0)), np.clip(1.0 - others, peak, 1.0)
