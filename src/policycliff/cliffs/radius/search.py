"""The search for the pair of least rho: pairs by a lower bound of rho, until no later pair can be less.

||u * d||_1 <= Q^pi_u(s, a) + V^pi_u(s), the values of the policy when half-widths are its rewards: with one evaluation
every pair has a lower bound gap / (that sum), which also bounds the 2-norm. A row of the resolvent is solved only for
pairs whose bound is below the best rho found.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.radius.allowed_changes import AllowedChanges
from policycliff.cliffs.radius.exact_rows import exact_rho, exact_row, exact_size
from policycliff.cliffs.radius.gaps import Gaps
from policycliff.cliffs.radius.resolvent import Resolvent, make_resolvent
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import rationals
from policycliff.values.left_solve import RELATIVE_ERROR

# Coefficients below this share of the largest possible norm are rounding; a pair whose own reward is frozen and whose
# norm is below it cannot be moved (decided exactly in rational arithmetic).
NEGLIGIBLE = 1e-12

# A gap, a norm and their quotient are rounded a few times.
ROUNDING = 2.0**-50

# Where rows cost sweeps, a coarse one often shows already that a pair cannot be the least.
COARSE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One pair: the interval of its rho, the estimate ||u * d|| and the coefficients d over pairs."""

    pair: int
    low: float
    high: float
    size: float
    coefficients: Float64[np.ndarray, " pairs"]
    movable: bool


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The outcome of a search."""

    radius: float
    bracket: tuple[float, float]
    pair: int
    witness: Float64[np.ndarray, " pairs"]
    status: str
    rows_solved: int


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Everything that the search needs: gaps, the ball, the resolvent, and lower bounds of rho (`floors`)."""

    mdp: MDP
    gaps: Gaps
    changes: AllowedChanges
    resolvent: Resolvent
    floors: Float64[np.ndarray, " pairs"]
    owners: Int64[np.ndarray, " pairs"]

    @property
    def half_widths(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) half-widths of the ball."""
        return self.changes.half_widths

    def norm_scale(self) -> float:
        """Upper bound on ||u * d|| for any pair: the 1-norm is at most twice the amplification, times max u."""
        return 2.0 * self.resolvent.amplification * float(self.half_widths.max(initial=0.0))

    def certified_bound(self) -> float:
        """Proposition 2.4 alone: (smallest gap) / (2 * amplification * largest half-width)."""
        scale, gap = self.norm_scale(), self.gaps.smallest()
        return np.inf if np.isinf(gap) or scale == 0.0 else gap / scale

    def competitors(self, states: Bool[np.ndarray, " states"] | None) -> Int64[np.ndarray, " some"]:
        """Pairs that the policy does not take (in these states) and that may move, by ascending floor."""
        rival = self.gaps.rivals & np.isfinite(self.floors)
        if states is not None:
            rival &= states[self.owners]
        pairs = np.flatnonzero(rival)
        return pairs[np.argsort(self.floors[pairs], kind="stable")]

    def run(self, states: Bool[np.ndarray, " states"] | None = None) -> Found:
        """The least rho over the competitors in these states (None: all)."""
        least: Candidate | None = None
        low, high, rows, doubtful = np.inf, np.inf, 0, False
        for pair in self.competitors(states).tolist():
            if self.floors[pair] >= high:
                break
            candidate = self.candidate(pair, high)
            rows += 1
            if not candidate.movable:
                continue
            if self.gaps.tied[candidate.pair]:
                return self._found(candidate, (0.0, 0.0), "tied", rows)
            doubtful |= bool(self.gaps.unresolved[candidate.pair])
            low = min(low, candidate.low)
            if candidate.high < high:
                least, high = candidate, candidate.high
        if least is None:
            return Found(np.inf, (np.inf, np.inf), -1, np.zeros(self.mdp.n_pairs), "exact", rows)
        if doubtful:
            return self._found(least, (0.0, self.policy_free_bound(states)), "unresolved", rows)
        return self._found(least, (low, high), "exact" if low > 0.0 else "unresolved", rows)

    def state_radii(self) -> tuple[Float64[np.ndarray, " states"], int]:
        """(states,) the least rho over the pairs of each state, 0 where unresolved; and the rows solved."""
        radii, rows = np.full(self.mdp.n_states, np.inf), 0
        pairs = self.competitors(None)
        by_state = pairs[np.argsort(self.owners[pairs], kind="stable")]
        for block in np.split(by_state, np.flatnonzero(np.diff(self.owners[by_state])) + 1):
            best = np.inf
            for pair in block.tolist():
                if self.floors[pair] >= best:
                    break
                candidate = self.candidate(pair, best)
                rows += 1
                if candidate.movable:
                    best = min(best, self._estimate(candidate))
            if block.size:
                radii[self.owners[block[0]]] = best
        return radii, rows

    def candidate(self, pair: int, best: float = np.inf) -> Candidate:
        """Coefficients and rho of one pair; in rational arithmetic if it may be below `best`."""
        if self.resolvent.by_sweeps and best < np.inf:
            coarse = self._candidate(pair, best, relative_error=COARSE)
            if coarse.low >= best:
                return coarse
        return self._candidate(pair, best, relative_error=RELATIVE_ERROR)

    def _candidate(self, pair: int, best: float, *, relative_error: float) -> Candidate:
        """The same from a row of this error."""
        state = int(self.owners[pair])
        row = self.resolvent.row(pair, state, relative_error=relative_error)
        coefficients = np.zeros(self.mdp.n_pairs)
        coefficients[self.gaps.best] = np.where(self.mdp.terminal, 0.0, row.entries)
        coefficients[pair] = 1.0
        weighted = self.half_widths * coefficients
        size = float(np.abs(weighted).sum() if self.changes.norm == "inf" else np.sqrt((weighted**2).sum()))
        slack = row.error * float(self.half_widths.max())
        smallest, largest = max(size - slack, float(self.half_widths[pair])), size + slack
        low = float(self.gaps.low[pair]) / largest if largest > 0.0 else np.inf
        if self.gaps.exact is not None and low < best:
            return self._exact_candidate(pair, state, size, coefficients)
        movable = smallest > 0.0 or largest > NEGLIGIBLE * self.norm_scale()
        high = float(self.gaps.high[pair]) / smallest if smallest > 0.0 else np.inf
        return Candidate(pair, low * (1.0 - ROUNDING), high * (1.0 + ROUNDING), size, coefficients, movable)

    def _exact_candidate(
        self, pair: int, state: int, size: float, coefficients: Float64[np.ndarray, " pairs"]
    ) -> Candidate:
        """Rho as neighbouring floats around its fraction."""
        if self.gaps.exact is None or self.gaps.fractions is None:
            raise TypeError("gaps without fractions")
        best, norm = self.gaps.best.tolist(), self.changes.norm
        row = exact_row(self.gaps.exact, best, pair=pair, state=state)
        total = exact_size(row, rationals(self.half_widths), best, pair=pair, norm=norm)
        if total == 0:
            return Candidate(pair, np.inf, np.inf, 0.0, coefficients, movable=False)
        low, high = exact_rho(self.gaps.fractions[pair], total, norm=norm)
        return Candidate(pair, low, high, size, coefficients, movable=True)

    def policy_free_bound(self, states: Bool[np.ndarray, " states"] | None) -> float:
        """An upper bound on the radius that holds whatever the optimal policy is: ||u * d|| is at least u(s, a).

        In an unresolved state any one of the pairs may be the one that is taken.
        """
        open_states = np.unique(self.owners[self.gaps.unresolved])
        moves = self.half_widths > 0.0
        ratios = np.divide(self.gaps.high, self.half_widths, out=np.full(moves.shape, np.inf), where=moves)
        if states is not None:
            ratios[~states[self.owners]] = np.inf
        settled = self.gaps.rivals & ~np.isin(self.owners, open_states)
        least = float(ratios[settled].min(initial=np.inf))
        for state in open_states.tolist():
            here = np.sort(ratios[self.mdp.offsets[state] : self.mdp.offsets[state + 1]])
            least = min(least, float(here[1]))
        return least

    def _estimate(self, candidate: Candidate) -> float:
        if self.gaps.tied[candidate.pair] or self.gaps.unresolved[candidate.pair]:
            return 0.0
        if self.gaps.exact is not None or candidate.size == 0.0:
            return candidate.low
        return min(max(float(self.gaps.gaps[candidate.pair]) / candidate.size, candidate.low), candidate.high)

    def _found(self, candidate: Candidate, bracket: tuple[float, float], status: str, rows: int) -> Found:
        estimate = 0.0 if status == "unresolved" else self._estimate(candidate)
        radius = min(max(estimate, bracket[0]), bracket[1])
        return Found(radius, bracket, candidate.pair, self.witness(candidate, radius), status, rows)

    def witness(self, candidate: Candidate, radius: float) -> Float64[np.ndarray, " pairs"]:
        """The perturbation of size `radius` that moves the candidate's advantage most."""
        weighted = self.half_widths * candidate.coefficients
        weighted[np.abs(weighted) <= NEGLIGIBLE * candidate.size] = 0.0
        if self.changes.norm == "inf":
            return np.asarray(radius * self.half_widths * np.sign(weighted))
        return np.asarray(radius * self.half_widths * weighted / np.sqrt((weighted**2).sum()))


def make_search(gaps: Gaps, changes: AllowedChanges) -> Search:
    """The search, with the lower bounds that order it."""
    resolvent = make_resolvent(gaps.mdp, np.array(gaps.best))
    sizes = norm_bounds(gaps, changes.half_widths)
    with np.errstate(divide="ignore"):
        quotients = gaps.low / np.where(sizes > 0.0, sizes, 1.0) * (1.0 - ROUNDING)
        floors = np.where(sizes > 0.0, quotients, np.inf)
    return Search(
        mdp=gaps.mdp,
        gaps=gaps,
        changes=changes,
        resolvent=resolvent,
        floors=frozen(floors),
        owners=frozen(gaps.mdp.pair_states),
    )


def norm_bounds(gaps: Gaps, half_widths: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) upper bound Q^pi_u(s, a) + V^pi_u(s) on ||u * d||_1; 0 where nothing can move the pair."""
    mdp, largest = gaps.mdp, float(half_widths.max(initial=0.0))
    if largest == 0.0:
        return np.zeros(mdp.n_pairs)
    values = evaluate(mdp, gaps.policy, rewards=half_widths, tolerance=1e-6 * largest)
    total = values.q_values + values.values[mdp.pair_states] + 2.0 * values.error_bound
    return np.where(mdp.terminal[mdp.pair_states], 0.0, total * (1.0 + 1e-15))
