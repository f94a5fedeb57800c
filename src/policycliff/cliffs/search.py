"""The search for the pair of least rho: pairs by ascending gap, until no later pair can be less."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from policycliff.actions.kernels import TIED, UNRESOLVED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.resolvent import Resolvent, make_resolvent
from policycliff.mdp.model import MDP
from policycliff.values.solution import Solution

# Coefficients below this share of their norm are rounding; a norm below it means that the pair cannot be moved.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pair with its norm ||u * d|| (lower and upper end) and coefficients d over pairs."""

    pair: int
    gap: float
    norm_low: float
    norm_high: float
    coefficients: Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search."""

    radius: float
    bracket: tuple[float, float]
    pair: int
    witness: Float64[np.ndarray, " pairs"]
    status: str
    rows_solved: int


@dataclass(frozen=True, slots=True)
class Search:
    """Everything that the search needs: gaps with their status, half-widths, the resolvent."""

    mdp: MDP
    resolvent: Resolvent
    gaps: Float64[np.ndarray, " pairs"]
    tied: Bool[np.ndarray, " pairs"]
    unresolved: Bool[np.ndarray, " pairs"]
    half_widths: Float64[np.ndarray, " pairs"]
    norm: str
    error: float

    @property
    def best(self) -> Int64[np.ndarray, " states"]:
        """(states,) the pair that the optimal policy takes."""
        return self.resolvent.best

    def norm_scale(self) -> float:
        """Upper bound on ||u * d|| for any pair: the 1-norm is at most twice the amplification, times max u."""
        return 2.0 * self.resolvent.amplification * float(self.half_widths.max(initial=0.0))

    def certified_bound(self, actions: OptimalActions) -> float:
        """Proposition 2.4 alone: (smallest gap) / (2 * amplification * largest half-width)."""
        scale = self.norm_scale()
        gap = float(actions.gaps.min())
        if np.isinf(gap) or scale == 0.0:
            return np.inf
        safe = 0.0 if (self.tied | self.unresolved).any() else max(gap - 2.0 * self.error, 0.0)
        return safe / scale

    def competitors(self, states: Bool[np.ndarray, " states"] | None) -> Int64[np.ndarray, " some"]:
        """Pairs that the policy does not take (in these states), by ascending gap."""
        rival = np.ones(self.mdp.n_pairs, dtype=bool)
        rival[self.best] = False
        if states is not None:
            rival &= states[self.mdp.pair_states]
        pairs = np.flatnonzero(rival)
        return pairs[np.argsort(self.gaps[pairs], kind="stable")]

    def run(self, states: Bool[np.ndarray, " states"] | None) -> Found:
        """The least rho over the competitors in these states (None: all)."""
        scale = self.norm_scale()
        least: Candidate | None = None
        low, high, rows, doubtful = np.inf, np.inf, 0, False
        owners = self.mdp.pair_states
        for pair in self.competitors(states) if scale > 0.0 else []:
            if (self.gaps[pair] - 2.0 * self.error) / scale >= high:
                break
            candidate = self.candidate(int(pair), int(owners[pair]))
            rows += 1
            if candidate.norm_high <= NEGLIGIBLE * scale:
                continue
            if self.tied[pair]:
                return self._found(candidate, (0.0, 0.0), "tied", rows)
            doubtful |= bool(self.unresolved[pair])
            ends = self._ends(candidate)
            low = min(low, ends[0])
            if ends[1] < high:
                least, high = candidate, ends[1]
        if least is None:
            return Found(np.inf, (np.inf, np.inf), -1, np.zeros(self.mdp.n_pairs), "exact", rows)
        return self._found(least, (low, high), "unresolved" if doubtful else "exact", rows)

    def candidate(self, pair: int, state: int) -> Candidate:
        """Coefficients and norm of one pair."""
        row = self.resolvent.row(pair, state)
        coefficients = np.zeros(self.mdp.n_pairs)
        coefficients[self.best] = np.where(self.mdp.terminal, 0.0, row.entries)
        coefficients[pair] = 1.0
        weighted = self.half_widths * coefficients
        size = float(np.abs(weighted).sum() if self.norm == "inf" else np.sqrt((weighted**2).sum()))
        slack = row.error * float(self.half_widths.max())
        return Candidate(pair, float(self.gaps[pair]), max(size - slack, 0.0), size + slack, coefficients)

    def _ends(self, candidate: Candidate) -> tuple[float, float]:
        """Interval that contains rho of the candidate."""
        low = max(candidate.gap - 2.0 * self.error, 0.0) / candidate.norm_high
        if self.unresolved[candidate.pair]:
            low = 0.0
        high = (candidate.gap + 2.0 * self.error) / candidate.norm_low if candidate.norm_low > 0.0 else np.inf
        return low, high

    def _found(self, candidate: Candidate, bracket: tuple[float, float], status: str, rows: int) -> Found:
        estimate = 2.0 * candidate.gap / (candidate.norm_low + candidate.norm_high)
        radius = {"tied": 0.0, "unresolved": bracket[0]}.get(status, estimate)
        return Found(radius, bracket, candidate.pair, self.witness(candidate, radius), status, rows)

    def witness(self, candidate: Candidate, radius: float) -> Float64[np.ndarray, " pairs"]:
        """The perturbation of size `radius` that moves the candidate's advantage most."""
        weighted = self.half_widths * candidate.coefficients
        weighted[np.abs(weighted) <= NEGLIGIBLE * candidate.norm_high] = 0.0
        if self.norm == "inf":
            return np.asarray(radius * self.half_widths * np.sign(weighted))
        size = float(np.sqrt((weighted**2).sum()))
        return np.asarray(radius * self.half_widths * weighted / size)


def make_search(
    solution: Solution, actions: OptimalActions, half_widths: Float64[np.ndarray, " pairs"], *, norm: str
) -> Search:
    """Gaps of all pairs to the policy's own, and what is known about them."""
    mdp = solution.mdp
    best = np.array(_first_members(actions))
    owners = mdp.pair_states
    codes = actions.codes[owners]
    tied = actions.members & (codes == TIED)
    gaps = np.where(tied, 0.0, np.maximum(solution.q_values[best][owners] - solution.q_values, 0.0))
    return Search(
        mdp=mdp,
        resolvent=make_resolvent(mdp, best),
        gaps=gaps,
        tied=tied,
        unresolved=actions.members & (codes == UNRESOLVED),
        half_widths=half_widths,
        norm=norm,
        error=solution.error_bound,
    )


def _first_members(actions: OptimalActions) -> Int64[np.ndarray, " states"]:
    """(states,) the first pair of each set."""
    chosen = np.flatnonzero(actions.members)
    owners = actions.mdp.pair_states[chosen]
    return chosen[np.searchsorted(owners, np.arange(actions.codes.size))]
