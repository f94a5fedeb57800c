"""What a path through rewards is made of: breakpoints, the intervals between them, and the jumps of the policy.

At a breakpoint the optimal set is larger than on both sides (Lemma 2.5), and some state has disjoint sets on its two
sides: there every selection, uniform or not, jumps by a total variation of 1. A state may also touch a breakpoint:
another action ties there and nowhere else. The mean jump is taken over the states that the uniform selection left of
the breakpoint visits; it is 0 exactly where the change is off its path.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.policies.distances import state_shifts
from policycliff.policies.occupancy import state_visits
from policycliff.shapes import Bool, Float64, Int64

EXACT, CERTIFIED, UNRESOLVED = "exact", "certified", "unresolved"
# Longer fractions are left out of `to_dict`: Python refuses to print integers of more than 4300 digits.
PRINTED_BITS = 4000


@dataclass(frozen=True, slots=True)
class Piece:
    """An open interval as the walk finds it: its optimal set, and J(t) = intercept + slope * t on it."""

    members: Bool[np.ndarray, " pairs"]
    intercept: float
    slope: float
    status: str


@dataclass(frozen=True, slots=True)
class Knot:
    """A breakpoint as the walk finds it, between the fractions `low` and `high` (equal where it is exact)."""

    low: Fraction
    high: Fraction
    t: Fraction
    members: Bool[np.ndarray, " pairs"]
    value: float
    status: str


@dataclass(frozen=True, slots=True)
class Walk:
    """Knots and pieces in turn; `starts_at_knot` says which comes first. A knot ends the walk or a piece does."""

    knots: tuple[Knot, ...]
    pieces: tuple[Piece, ...]
    starts_at_knot: bool
    is_truncated: bool

    @property
    def statuses(self) -> set[str]:
        """Every status that occurs."""
        return {knot.status for knot in self.knots} | {piece.status for piece in self.pieces}

    def before(self, knot: int) -> int:
        """Index of the piece left of a knot; -1 if there is none."""
        return knot - 1 if self.starts_at_knot else knot

    def after(self, knot: int) -> int:
        """Index of the piece right of a knot; -1 if there is none."""
        piece = self.before(knot) + 1
        return piece if piece < len(self.pieces) else -1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Breakpoint:
    """A point of the line at which the optimal set changes.

    Attributes:
        t: where, correctly rounded if exact.
        fraction: where, exactly; None in float arithmetic.
        bracket: (low, high), which contains it; both are `t` if it is exact.
        status: "exact"; "certified" (one breakpoint in the bracket); "unresolved" (one, several or, where two values
            cannot be told apart, none).
        members: (pairs,) the optimal set at the breakpoint; contains those of both sides (a superset if unresolved).
        states: the states whose set differs there or on one side.
        switched: the states whose sets left and right have no action in common.
        total_variation: jump of the uniform selection from left to right, maximum over states; 1 inside a path.
        mean_total_variation: the same, mean over the visits of the policy on the left; None without initial states.
        left_jump: from the left to the breakpoint itself, maximum over states: (m - 1) / m where one of m ties.
        right_jump: from the breakpoint to the right.
        value: return from the initial distribution at t; None without one.
    """

    t: float
    fraction: Fraction | None
    bracket: tuple[float, float]
    status: str
    members: Bool[np.ndarray, " pairs"]
    states: Int64[np.ndarray, " some"]
    switched: Int64[np.ndarray, " few"]
    total_variation: float | None
    mean_total_variation: float | None
    left_jump: float | None
    right_jump: float | None
    value: float | None

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types; `fraction` is "p/q", or None where it is very long."""
        return {
            "t": self.t,
            "fraction": _printed(self.fraction),
            "bracket": list(self.bracket),
            "status": self.status,
            "members": self.members.tolist(),
            "states": self.states.tolist(),
            "switched": self.switched.tolist(),
            "total_variation": self.total_variation,
            "mean_total_variation": self.mean_total_variation,
            "left_jump": self.left_jump,
            "right_jump": self.right_jump,
            "value": self.value,
        }

    def __repr__(self) -> str:
        return (
            f"Breakpoint(t={self.t:.9g}, {self.status}; {self.states.size} states change, "
            f"{self.switched.size} of them switch)"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interval:
    """An open interval on which the optimal set is constant.

    Attributes:
        start: left end.
        end: right end.
        members: (pairs,) the optimal set (a superset if unresolved).
        log_optimal_policies: natural logarithm of the number of deterministic optimal policies.
        intercept: the return is intercept + slope * t; None without initial distribution.
        slope: see `intercept`.
        status: "exact", "certified" (proven within float error), or "unresolved" (some pair cannot be told from a
            tie on the whole interval).
    """

    start: float
    end: float
    members: Bool[np.ndarray, " pairs"]
    log_optimal_policies: float
    intercept: float | None
    slope: float | None
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "start": self.start,
            "end": self.end,
            "members": self.members.tolist(),
            "log_optimal_policies": self.log_optimal_policies,
            "intercept": self.intercept,
            "slope": self.slope,
            "status": self.status,
        }

    def __repr__(self) -> str:
        count = f"log of the number of optimal policies {self.log_optimal_policies:.4g}"
        return f"Interval({self.start:.9g} to {self.end:.9g}, {self.status}; {count})"


def make_intervals(mdp: MDP, walk: Walk, t_min: float, t_max: float) -> tuple[Interval, ...]:
    """The public form of the pieces."""
    edges = [(float(knot.low), float(knot.high)) for knot in walk.knots]
    ends = edges if walk.starts_at_knot else [(t_min, t_min), *edges]
    result = []
    for index, piece in enumerate(walk.pieces):
        end = ends[index + 1][0] if index + 1 < len(ends) else t_max
        counts = np.add.reduceat(piece.members.astype(np.int64), mdp.offsets[:-1])
        known = mdp.initial is not None
        result.append(
            Interval(
                start=ends[index][1],
                end=end,
                members=piece.members,
                log_optimal_policies=float(np.log(counts).sum()),
                intercept=piece.intercept if known else None,
                slope=piece.slope if known else None,
                status=piece.status,
            )
        )
    return tuple(result)


def make_breakpoints(mdp: MDP, walk: Walk) -> tuple[Breakpoint, ...]:
    """The public form of the knots, with the jumps at each."""
    sides = [uniform_over(mdp, piece.members) for piece in walk.pieces]
    result = []
    for index, knot in enumerate(walk.knots):
        left, right = walk.before(index), walk.after(index)
        result.append(
            _breakpoint(
                mdp,
                knot,
                left=walk.pieces[left].members if left >= 0 else None,
                right=walk.pieces[right].members if right >= 0 else None,
                jumps=_jumps(
                    mdp,
                    sides[left] if left >= 0 else None,
                    uniform_over(mdp, knot.members),
                    sides[right] if right >= 0 else None,
                ),
            )
        )
    return tuple(result)


def uniform_over(mdp: MDP, members: Bool[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
    """Equal probability for every member of a state."""
    counts = np.add.reduceat(members.astype(np.int64), mdp.offsets[:-1])
    return frozen(members / counts[mdp.pair_states])


Jumps = tuple[float | None, float | None, float | None, float | None]


def _jumps(
    mdp: MDP,
    left: Float64[np.ndarray, " pairs"] | None,
    here: Float64[np.ndarray, " pairs"],
    right: Float64[np.ndarray, " pairs"] | None,
) -> Jumps:
    """Jumps of the uniform selection: left to right, its mean, left to here, here to right."""
    from_left = None if left is None else float(state_shifts(mdp, left, here).max())
    to_right = None if right is None else float(state_shifts(mdp, here, right).max())
    if left is None or right is None:
        return None, None, from_left, to_right
    shifts = state_shifts(mdp, left, right)
    mean = None
    if mdp.initial is not None:
        visits = state_visits(mdp, left)
        mean = float(visits @ shifts / visits.sum()) if visits.any() else 0.0
    return float(shifts.max()), mean, from_left, to_right


def _breakpoint(
    mdp: MDP,
    knot: Knot,
    *,
    left: Bool[np.ndarray, " pairs"] | None,
    right: Bool[np.ndarray, " pairs"] | None,
    jumps: Jumps,
) -> Breakpoint:
    changed = np.zeros(mdp.n_pairs, dtype=bool)
    for side in (left, right):
        if side is not None:
            changed |= side != knot.members
    switched = np.zeros(mdp.n_states, dtype=bool)
    if left is not None and right is not None:
        switched = ~np.logical_or.reduceat(left & right, mdp.offsets[:-1])
    return Breakpoint(
        t=float(knot.t),
        fraction=knot.t if knot.status == EXACT else None,
        bracket=(float(knot.low), float(knot.high)),
        status=knot.status,
        members=knot.members,
        states=frozen(np.flatnonzero(np.logical_or.reduceat(changed, mdp.offsets[:-1]))),
        switched=frozen(np.flatnonzero(switched)),
        total_variation=jumps[0],
        mean_total_variation=jumps[1],
        left_jump=jumps[2],
        right_jump=jumps[3],
        value=None if mdp.initial is None else knot.value,
    )


def _printed(fraction: Fraction | None) -> str | None:
    if fraction is None or max(fraction.numerator.bit_length(), fraction.denominator.bit_length()) > PRINTED_BITS:
        return None
    return str(fraction)
