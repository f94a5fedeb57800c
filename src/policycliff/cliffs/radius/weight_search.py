"""The search for the pair that the least change of the weights reaches: until no later one can be less."""

from dataclasses import dataclass

import numpy as np

from policycliff.actions.neutral import neutral_states
from policycliff.cliffs.radius.allowed_changes import RewardTuple
from policycliff.cliffs.radius.exact_rows import enclose
from policycliff.cliffs.radius.gaps import Gaps
from policycliff.cliffs.radius.resolvent import make_resolvent
from policycliff.cliffs.radius.weight_coefficients import Coefficients, Source, constant_weights, state_weights
from policycliff.cliffs.radius.weight_moves import cheapest_move
from policycliff.shapes import Bool, Float64

SAME = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class WeightsFound:
    """The outcome of a search; `delta` has the shape of the weights."""

    radius: float
    bracket: tuple[float, float]
    pair: int
    delta: Float64[np.ndarray, "*shape"]
    status: str
    solved: int


@dataclass(frozen=True, slots=True, eq=False)
class _Least:
    """The interval of the least rho so far.

    `low` and `high` are over all pairs, `closed_low` over those that surely count; `doubtful` says that a gap is
    unresolved and the policy itself unknown.
    """

    low: float = np.inf
    closed_low: float = np.inf
    high: float = np.inf
    pair: int = -1
    doubtful: bool = False
    solved: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class WeightSearch:
    """Everything that the search needs."""

    gaps: Gaps
    group: RewardTuple
    source: Source
    norm: str
    floors: Float64[np.ndarray, " pairs"]
    neutral: Bool[np.ndarray, " pairs"]

    def run(self, states: Bool[np.ndarray, " states"] | None) -> WeightsFound:
        """The least rho over the competitors in these states (None: all)."""
        rival = self.gaps.rivals & np.isfinite(self.floors) & ~self.neutral
        if states is not None:
            rival &= states[self.gaps.mdp.pair_states]
        pairs = np.flatnonzero(rival)
        least = _Least()
        for pair in pairs[np.argsort(self.floors[pairs], kind="stable")].tolist():
            if self.floors[pair] >= least.high:
                break
            c = self.source.of(pair)
            if self.gaps.tied[pair] and c.spread > 2.0 * c.error:
                zero = np.zeros_like(self.group.weights)
                return WeightsFound(0.0, (0.0, 0.0), pair, zero, "tied", least.solved + 1)
            least = self._with(least, pair, c)
        return self._found(least)

    def _with(self, least: _Least, pair: int, c: Coefficients) -> _Least:
        """The interval once this pair is taken into account."""
        solved = least.solved + 1
        if self.gaps.tied[pair] or self.gaps.unresolved[pair]:
            if c.error == 0.0 and c.spread == 0.0:
                return _Least(least.low, least.closed_low, least.high, least.pair, least.doubtful, solved)
            doubtful = least.doubtful or bool(self.gaps.unresolved[pair])
            return _Least(0.0, least.closed_low, least.high, least.pair, doubtful, solved)
        low, high = self._interval(pair, c)
        closer = high < least.high
        return _Least(
            low=min(least.low, low),
            closed_low=min(least.closed_low, low) if np.isfinite(high) else least.closed_low,
            high=min(least.high, high),
            pair=pair if closer else least.pair,
            doubtful=least.doubtful,
            solved=solved,
        )

    def _interval(self, pair: int, c: Coefficients) -> tuple[float, float]:
        """The interval of rho; (inf, inf) if the pair surely never counts, no upper end if that is open."""
        heaviest = float(c.weights.sum(axis=1).max())
        if c.top < -heaviest * c.error or (c.error == 0.0 and c.top <= 0.0):
            return np.inf, np.inf
        gap_low, gap_high = self._gap(pair)
        rounding = 2.0**-50 * c.block.size * float(np.ptp(c.block, axis=1).max())
        slack = 2.0 * heaviest * (c.error + rounding)
        low = 0.0
        if gap_low > slack:
            low = cheapest_move(c.block, c.weights, target=gap_low - slack, norm=self.norm).low
        if c.top <= heaviest * c.error:
            return low, np.inf
        return low, cheapest_move(c.block, c.weights, target=gap_high + slack, norm=self.norm).high

    def _gap(self, pair: int) -> tuple[float, float]:
        if self.gaps.fractions is not None:
            return enclose(self.gaps.fractions[pair])
        return float(self.gaps.low[pair]), float(self.gaps.high[pair])

    def _found(self, least: _Least) -> WeightsFound:
        if least.low == np.inf:
            return WeightsFound(np.inf, (np.inf, np.inf), -1, np.zeros_like(self.group.weights), "exact", least.solved)
        radius, delta = np.inf, np.zeros_like(self.group.weights)
        if least.pair >= 0:
            c = self.source.of(least.pair)
            move = cheapest_move(c.block, c.weights, target=float(self.gaps.gaps[least.pair]), norm=self.norm)
            radius, delta = move.high, self._spread(move.delta, c)
        settled = least.low >= least.closed_low * (1.0 - SAME) and not least.doubtful
        high = np.inf if least.doubtful else least.high
        reported = float(np.clip(radius, least.low, high)) if settled else least.low
        status = "exact" if settled else "unresolved"
        return WeightsFound(reported, (least.low, high), least.pair, delta, status, least.solved)

    def _spread(
        self, delta: Float64[np.ndarray, "blocks components"], c: Coefficients
    ) -> Float64[np.ndarray, "*shape"]:
        """The change in the shape of the weights."""
        if self.group.weights.ndim == 1:
            return delta[0]
        whole = np.zeros_like(self.group.weights)
        whole[:, c.blocks] = delta.T
        return whole


def make_weight_search(gaps: Gaps, group: RewardTuple, *, norm: str) -> WeightSearch:
    """The search for constant or state-dependent weights."""
    source: Source
    neutral = np.zeros(gaps.mdp.n_pairs, dtype=bool)
    if group.weights.ndim == 1:
        source = constant_weights(gaps, group)
        neutral = _neutral_ties(gaps, group)
    else:
        source = state_weights(gaps, group, make_resolvent(gaps.mdp, np.array(gaps.best)))
    return WeightSearch(gaps, group, source, norm, source.floors(norm), neutral)


def _neutral_ties(gaps: Gaps, group: RewardTuple) -> Bool[np.ndarray, " pairs"]:
    """(pairs,) pairs that may be optimal and provably have the policy's value under every component."""
    members = gaps.tied | gaps.unresolved
    members[gaps.best] = True
    found = neutral_states(gaps.solution, group.rewards, members)
    return np.asarray(members & found[gaps.mdp.pair_states])
