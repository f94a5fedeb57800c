"""How likely Gaussian noise on the rewards is to push the optimal policy over the cliff (Result 1).

Theory. With noise N(0, Sigma) on the rewards, the advantage of (s, a) under the optimal policy pi is normal with mean
-gap and variance d' Sigma d, d the coefficients of the stability radius. So

    p(s, a) = Phi(-gap / sqrt(d' Sigma d))

is the probability that *this advantage turns positive*, not that (s, a) becomes optimal: another action may be better
still. pi stops being optimal where any advantage is positive. Hence max p <= P(pi is not optimal) <= min(1, sum p),
and a Monte Carlo estimate with an exact interval stands beside it.

Ties. At a tie that the noise can break p = 1/2, whatever the size of the noise: the probability does not go to 0 with
it. pi is then the policy of the first optimal actions; with m equal, independent arms it loses with probability (m -
1) / m. A pair that the noise cannot move (d' Sigma d = 0) has p = 0, also at a tie. Rewards of terminal states have no
noise.

Cost. One row of the resolvent for each pair whose p can matter: sqrt(d' Sigma d) is at most the values of pi with the
standard deviations as rewards, which bounds p. Rows are solved by descending bound until what is left adds less than
1e-12, or until 5000 rows (fewer, at least 50, where an MDP with cycles has over 3000 states: a row takes sweeps), or,
where there are more pairs than that, until the sum is above 1 and the largest p is found. What is left enters the
union bound with its bounds. Monte Carlo: one linear solve a draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from policycliff.cliffs.flips.draws import clopper_pearson, count_flips
from policycliff.cliffs.flips.reward_noise import RewardNoise, make_noise
from policycliff.cliffs.radius.gaps import Gaps, make_gaps
from policycliff.cliffs.radius.resolvent import Resolvent, make_resolvent
from policycliff.cliffs.radius.result import finite
from policycliff.cliffs.radius.search import NEGLIGIBLE, norm_bounds
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, as_number, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Bool, Float64

NEGLIGIBLE_SUM = 1e-12
ROW_LIMIT = 5000
SWEPT_ENTRIES = 20_000_000
FEWEST_ROWS = 50

Vector = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FlipProbability:
    """Probability that the optimal policy is no longer optimal once noise is added to the rewards.

    Attributes:
        estimate: share of Monte Carlo draws in which it is not; nan without draws.
        interval: Clopper-Pearson interval of that share; (0, 1) without draws.
        lower_bound: the largest p of a pair.
        union_bound: min(1, sum of all p), from above; `bounded_total` of it comes from pairs that were only bounded.
        pair_probabilities: (pairs,) p(s, a): that this advantage turns positive; 0 for the policy's own pairs.
        bounded: (pairs,) where the entry is only an upper bound.
        bounded_total: sum of those entries.
        state: state of the pair of largest p, -1 if no pair moves.
        action: its action index, -1 if there is none.
        status: "resolved", or "unresolved": a gap is below the solver's error, the policy may not be optimal to begin
            with, and the union bound is 1.
        confidence: level of the interval.
        samples: number of draws.
        seed: what they were drawn from.
        rows_solved: rows of the resolvent that were needed.
    """

    estimate: float
    interval: tuple[float, float]
    lower_bound: float
    union_bound: float
    pair_probabilities: Vector
    bounded: Bool[np.ndarray, " pairs"]
    bounded_total: float
    state: int
    action: int
    status: str
    confidence: float
    samples: int
    seed: int
    rows_solved: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (nan is None)."""
        return {
            "estimate": finite(self.estimate),
            "interval": list(self.interval),
            "lower_bound": self.lower_bound,
            "union_bound": self.union_bound,
            "pair_probabilities": self.pair_probabilities.tolist(),
            "bounded": self.bounded.tolist(),
            "bounded_total": self.bounded_total,
            "state": self.state,
            "action": self.action,
            "status": self.status,
            "confidence": self.confidence,
            "samples": self.samples,
            "seed": self.seed,
            "rows_solved": self.rows_solved,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.state >= 0 else "no pair"
        drawn = f"{self.estimate:.4g} ({self.interval[0]:.4g} to {self.interval[1]:.4g}) in {self.samples} draws"
        return (
            f"FlipProbability({drawn if self.samples else 'no draws'}; between {self.lower_bound:.4g} and "
            f"{self.union_bound:.4g}; likeliest at {where}; {self.status})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Bounds:
    """p of pairs from below and above, and where it is only bounded."""

    low: Vector
    estimate: Vector
    high: Vector
    bounded: Bool[np.ndarray, " pairs"]
    rows: int


def flip_probability(
    mdp: MDP,
    *,
    standard_deviation: Any = None,
    covariance: Any = None,
    samples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    exact: bool = False,
) -> FlipProbability:
    """P(the optimal policy is not optimal for R + noise): bounds from Phi(-gap / sqrt(d' Sigma d)), and Monte Carlo.

    Args:
        mdp: the MDP.
        standard_deviation: of independent errors of the rewards, in their unit: a number or (pairs,), at least 0.
        covariance: (pairs, pairs), dense or sparse, up to 3000 pairs. Give this or `standard_deviation`.
        samples: Monte Carlo draws; 0 for none.
        seed: what they are drawn from.
        confidence: level of the interval, between 0 and 1.
        exact: decide ties in rational arithmetic (up to 200 states; 20,000 where the MDP is acyclic).

    Returns:
        A `FlipProbability`. Where it is resolved the bounds are proven up to the rounding of Phi; the estimate
        has its interval.

    Raises:
        InvalidInputError: an argument is wrong, or the matrix is no covariance.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, flip_probability
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
        >>> result = flip_probability(bandit, standard_deviation=0.5, samples=0)
        >>> round(result.lower_bound, 6) == round(result.union_bound, 6) == 0.07865
        True
    """
    check_mdp(mdp)
    _check("samples", samples)
    _check("seed", seed)
    if not 0.0 < as_number("confidence", confidence) < 1.0:
        raise fail(got=f"confidence = {confidence!r}", expected="a number between 0 and 1", remedy="Try 0.95.")
    noise = make_noise(mdp, standard_deviation=standard_deviation, covariance=covariance)
    gaps = make_gaps(mdp, exact=exact)
    bounds = _pair_bounds(gaps, noise, make_resolvent(mdp, np.array(gaps.best)))
    flips = count_flips(gaps, noise, samples=samples, seed=seed)
    likeliest = int(np.argmax(bounds.estimate)) if bounds.high.any() else -1
    return FlipProbability(
        estimate=flips / samples if samples else float("nan"),
        interval=clopper_pearson(flips, samples, confidence) if samples else (0.0, 1.0),
        lower_bound=float(bounds.low.max()),
        union_bound=float(min(bounds.high.sum() * (1.0 + 1e-12), 1.0)),
        pair_probabilities=frozen(bounds.estimate),
        bounded=frozen(bounds.bounded),
        bounded_total=float(bounds.high[bounds.bounded].sum()),
        state=int(mdp.pair_states[likeliest]) if likeliest >= 0 else -1,
        action=int(mdp.actions[likeliest]) if likeliest >= 0 else -1,
        status="unresolved" if (gaps.unresolved & gaps.rivals & (bounds.high > 0.0)).any() else "resolved",
        confidence=float(confidence),
        samples=int(samples),
        seed=int(seed),
        rows_solved=bounds.rows,
    )


def _pair_bounds(gaps: Gaps, noise: RewardNoise, resolvent: Resolvent) -> _Bounds:
    """Probabilities of the pairs that matter, a bound for the others."""
    sizes = norm_bounds(gaps, noise.deviations)
    high = np.where(gaps.rivals, _upper(gaps.low, sizes), 0.0)
    low, estimate, bounded = np.zeros(sizes.size), high.copy(), high > 0.0
    order = np.flatnonzero(bounded)
    order = order[np.argsort(-high[order], kind="stable")]
    rest, solved, most, rows = float(high.sum()), 0.0, 0.0, 0
    limit = _row_limit(resolvent)
    owners, scale = gaps.mdp.pair_states, float(sizes.max(initial=0.0))
    for pair in order.tolist():
        settled = order.size > limit and solved >= 1.0 and high[pair] <= most
        if rows >= limit or rest <= NEGLIGIBLE_SUM or settled:
            break
        rest -= high[pair]
        ends = _probability(gaps, noise, resolvent, pair=pair, state=int(owners[pair]), scale=scale)
        low[pair], estimate[pair], high[pair] = ends
        bounded[pair] = False
        solved, most, rows = solved + ends[0], max(most, ends[0]), rows + 1
    return _Bounds(low, estimate, high, bounded, rows)


def _row_limit(resolvent: Resolvent) -> int:
    """How many rows may be solved: fewer where each of them takes sweeps over a large chain."""
    if not resolvent.by_sweeps:
        return ROW_LIMIT
    return int(np.clip(SWEPT_ENTRIES // resolvent.chain.probabilities.size, FEWEST_ROWS, ROW_LIMIT))


def _probability(
    gaps: Gaps, noise: RewardNoise, resolvent: Resolvent, *, pair: int, state: int, scale: float
) -> tuple[float, float, float]:
    """Probability of one pair: from below, estimated, from above."""
    row = resolvent.row(pair, state)
    coefficients = np.zeros(gaps.mdp.n_pairs)
    coefficients[gaps.best] = np.where(gaps.mdp.terminal, 0.0, row.entries)
    coefficients[pair] = 1.0
    size = noise.size(coefficients)
    slack = row.error * float(noise.deviations.max()) + 1e-14 * size
    if size + slack <= NEGLIGIBLE * scale:
        return 0.0, 0.0, 0.0
    if gaps.unresolved[pair]:
        return 0.0, 0.5, 1.0
    gap = np.array([gaps.high[pair], gaps.gaps[pair], gaps.low[pair]])
    low, middle, high = _upper(gap, np.array([max(size - slack, 0.0), size, size + slack])).tolist()
    return low, middle, high


def _upper(gaps: Float64[np.ndarray, " some"], sizes: Float64[np.ndarray, " some"]) -> Float64[np.ndarray, " some"]:
    """Phi(-gap / size); 0 where the size is 0."""
    moves = sizes > 0.0
    return np.where(moves, ndtr(-gaps / np.where(moves, sizes, 1.0)), 0.0)


def _check(name: str, value: int) -> None:
    if as_integer(name, value) < 0:
        raise fail(got=f"{name} = {value!r}", expected="a whole number of at least 0", remedy=f"Set {name}=1000.")
