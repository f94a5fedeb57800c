"""All breakpoints of the optimal policy on a line of rewards R(t) = R + t * direction (beyond the paper: Result 2).

Theory. The optimal value function is convex and piecewise linear in t. Between two breakpoints the optimal set is
constant; at a breakpoint it is larger than on both sides (Lemma 2.5), and just right of a breakpoint t* the optimum is
the direction-optimal policy of the MDP restricted to A*(.; R(t*)). A plain switch of one action goes wrong where
several change at once; this right limit does not. Proofs are in docs/theory-core.md.

A breakpoint is a t at which the optimal set of some state (reached or not) differs from that on a side of it. At t_min
and t_max only the inner side counts. Where R is one reward and the direction the difference to another, [0, 1] is the
line of their mixtures and the intervals are the cells of the weight.

Exact arithmetic takes the stored float64 numbers as fractions: nothing is missed or made up. Float arithmetic gives
each breakpoint a proven bracket; what it cannot separate is one breakpoint with status "unresolved", never a wrong one.

Assumptions. Rewards of terminal states do not move. Cost: a few solves a breakpoint. There can be superpolynomially
many breakpoints: `max_breakpoints` caps them, and then the status is "truncated".

Sources: Gass and Saaty (1955), parametric linear programming; Carstensen (1983), Mulmuley and Shah (2001) for the
number of breakpoints, n^(log n) in order already for shortest paths, which are deterministic MDPs at gamma = 1.
"""

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from policycliff.cliffs.lines.arguments import check_arguments, use_exact
from policycliff.cliffs.lines.exact_walk import exact_walk
from policycliff.cliffs.lines.float_walk import float_walk
from policycliff.cliffs.lines.parts import (
    UNRESOLVED,
    Breakpoint,
    Interval,
    make_breakpoints,
    make_intervals,
    uniform_over,
)
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Bool, Float64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PerturbationPath:
    """What is optimal along a line of rewards.

    Attributes:
        mdp: the MDP, with the reward at t = 0.
        direction: (pairs,) change of the reward for each unit of t.
        t_min: left end.
        t_max: right end of what was asked for; `t_end` is how far the path goes.
        breakpoints: ascending, with their jumps.
        intervals: the open intervals between them, ascending.
        arithmetic: "exact" or "float".
        status: "complete" (every breakpoint is listed, each exact or certified), "unresolved" (the line is covered, but
            some breakpoint or interval is unresolved) or "truncated" (stopped at `max_breakpoints`).
    """

    mdp: MDP
    direction: Float64[np.ndarray, " pairs"]
    t_min: float
    t_max: float
    breakpoints: tuple[Breakpoint, ...]
    intervals: tuple[Interval, ...]
    arithmetic: str
    status: str

    @property
    def t_end(self) -> float:
        """How far the path goes: t_max, or the last breakpoint of a truncated path."""
        return self.breakpoints[-1].t if self.status == "truncated" else self.t_max

    def rewards(self, t: float) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) R + t * direction, rounded."""
        return np.asarray(self.mdp.rewards + t * self.direction)

    def members(self, t: float | Fraction) -> Bool[np.ndarray, " pairs"]:
        """(pairs,) the optimal set at t (a superset where the status there is unresolved).

        A float is compared with the exact breakpoints; pass `breakpoint.fraction` for the set at a breakpoint.

        Raises:
            InvalidInputError: t is outside the path.
        """
        place = self._place(t)
        part = self.breakpoints[place[1]] if place[0] == "breakpoint" else self.intervals[place[1]]
        return part.members

    def policy(self, t: float | Fraction) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) the uniform selection from the optimal set at t."""
        return uniform_over(self.mdp, self.members(t))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "t_min": self.t_min,
            "t_max": self.t_max,
            "t_end": self.t_end,
            "arithmetic": self.arithmetic,
            "status": self.status,
            "breakpoints": [item.to_dict() for item in self.breakpoints],
            "intervals": [item.to_dict() for item in self.intervals],
        }

    def plot_data(self) -> dict[str, Any]:
        """The cliff itself as plain data: probabilities of the uniform selection as steps, and the return as a line.

        Returns:
            `starts` and `ends` of the intervals; `curves`: for each pair whose probability changes anywhere, its state,
            its action and its probability on each interval; `returns`: [t, J(t)] at the corners (empty without
            initial distribution); `breakpoints`: their t.
        """
        steps = np.array([uniform_over(self.mdp, item.members) for item in self.intervals]).reshape(
            -1, self.mdp.n_pairs
        )
        moving = np.flatnonzero(np.ptp(steps, axis=0) > 0.0) if len(steps) else np.array([], np.int64)
        owners = self.mdp.pair_states
        curves = [
            {"state": int(owners[p]), "action": int(self.mdp.actions[p]), "probabilities": steps[:, p].tolist()}
            for p in moving
        ]
        return {
            "starts": [item.start for item in self.intervals],
            "ends": [item.end for item in self.intervals],
            "curves": curves,
            "returns": self._corners(),
            "breakpoints": [item.t for item in self.breakpoints],
        }

    def _corners(self) -> list[list[float]]:
        ends = [
            [t, item.intercept + item.slope * t]
            for item in self.intervals
            if item.intercept is not None and item.slope is not None
            for t in (item.start, item.end)
        ]
        return [corner for index, corner in enumerate(ends) if index == 0 or corner[0] != ends[index - 1][0]]

    def _place(self, t: float | Fraction) -> tuple[str, int]:
        """Which breakpoint or interval holds t."""
        last = self.breakpoints[-1] if self.status == "truncated" else None
        limit = self.t_max if last is None else _ends(last)[1]
        if not self.t_min <= t <= limit:
            raise fail(
                got=f"t = {t}",
                expected=f"{self.t_min!r} to {float(limit)!r}, which the path covers",
                remedy="Compute the path on a longer interval, or with a larger max_breakpoints.",
            )
        exact = Fraction(t)
        at = bisect_left(self.breakpoints, exact, key=lambda item: _ends(item)[1])
        if at < len(self.breakpoints) and _ends(self.breakpoints[at])[0] <= exact:
            return "breakpoint", at
        # Not by the rounded t: a breakpoint may lie right of t_min by less than floats can say.
        starts_at_breakpoint = bool(self.breakpoints) and _ends(self.breakpoints[0])[0] <= Fraction(self.t_min)
        return "interval", at - 1 if starts_at_breakpoint else at

    def __repr__(self) -> str:
        shown = ", ".join(f"{item.t:.6g}" for item in self.breakpoints[:6])
        more = ", ..." if len(self.breakpoints) > 6 else ""
        found = f"{len(self.breakpoints)} breakpoints" + (f" ({shown}{more})" if self.breakpoints else "")
        doubt = [item.status for item in self.breakpoints] + [item.status for item in self.intervals]
        return (
            f"PerturbationPath({self.t_min:g} to {self.t_end:g}, {self.status}, {self.arithmetic}: {found}, "
            f"{len(self.intervals)} intervals, {doubt.count(UNRESOLVED)} unresolved)"
        )


def _ends(item: Breakpoint) -> tuple[Fraction, Fraction]:
    """Where the breakpoint is, as fractions."""
    if item.fraction is not None:
        return item.fraction, item.fraction
    return Fraction(item.bracket[0]), Fraction(item.bracket[1])


def perturbation_path(
    mdp: MDP,
    direction: Any,
    t_min: float,
    t_max: float,
    *,
    exact: bool | str = "auto",
    max_breakpoints: int = 1000,
) -> PerturbationPath:
    """All breakpoints of the optimal policy for R + t * direction, t_min <= t <= t_max (beyond the paper: Result 2).

    Args:
        mdp: the MDP; its reward is the one at t = 0.
        direction: (pairs,), (S,) or (S, A) finite numbers, 0 at terminal states.
        t_min: left end of the line; may be negative.
        t_max: right end, above t_min.
        exact: True for rational arithmetic (up to 200 states; 20,000 where the MDP is acyclic), False for floats with
            brackets, "auto" for rational up to 60 states (3000 where acyclic).
        max_breakpoints: stop after so many; at least 1.

    Returns:
        A `PerturbationPath`.

    Raises:
        InvalidInputError: an argument is out of range or of the wrong length, or the MDP is too large for `exact`.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, perturbation_path
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
        >>> path = perturbation_path(bandit, [0.0, 4.0], 0.0, 1.0)
        >>> path
        PerturbationPath(0 to 1, complete, exact: 1 breakpoints (0.25), 2 intervals, 0 unresolved)
        >>> path.policy(0.5)
        array([0., 1.])
    """
    check_mdp(mdp)
    vector = check_arguments(mdp, direction, t_min, t_max, exact=exact, max_breakpoints=max_breakpoints)
    is_exact = use_exact(mdp, exact=exact)
    start, end = float(t_min), float(t_max)
    walk = (exact_walk if is_exact else float_walk)(mdp, vector, start, end, max_breakpoints=max_breakpoints)
    covered = "unresolved" if UNRESOLVED in walk.statuses else "complete"
    return PerturbationPath(
        mdp=mdp,
        direction=vector,
        t_min=start,
        t_max=end,
        breakpoints=make_breakpoints(mdp, walk),
        intervals=make_intervals(mdp, walk, start, end),
        arithmetic="exact" if is_exact else "float",
        status="truncated" if walk.is_truncated else covered,
    )
