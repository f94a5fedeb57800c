"""What an infinitesimal bonus does: the right limit of the optimal set at a reward (Result 2 at t = 0).

For all small enough t > 0 the optimal policies of R + t * bonus are those optimal policies of R that are best for the
bonus: the bonus decides among ties and changes nothing else. This is a lexicographic optimum, the optimum of the bonus
on the MDP restricted to A*(.; R). Cost: two solves.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.cliffs.lines.arguments import check_direction, check_exact, use_exact
from policycliff.cliffs.lines.exact_walk import optimum_at, right_limit
from policycliff.cliffs.lines.parts import CERTIFIED, EXACT, UNRESOLVED
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool
from policycliff.values.exact import make_exact, rational, rationals
from policycliff.values.solve import solve


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InfinitesimalBonus:
    """The optimal set without a bonus, and what is left of it under an arbitrarily small one.

    Attributes:
        before: (pairs,) the optimal set of R.
        after: (pairs,) that of R + t * bonus for all small enough t > 0; part of `before`.
        status: "exact", "certified" (float, both proven) or "unresolved" (supersets).
    """

    before: Bool[np.ndarray, " pairs"]
    after: Bool[np.ndarray, " pairs"]
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {"before": self.before.tolist(), "after": self.after.tolist(), "status": self.status}

    def __repr__(self) -> str:
        sizes = f"{int(self.before.sum())} optimal pairs without it, {int(self.after.sum())} with it"
        return f"InfinitesimalBonus({self.status}: {sizes})"


def infinitesimal_bonus(mdp: MDP, bonus: Any, *, exact: bool | str = "auto") -> InfinitesimalBonus:
    """Which optimal actions are left under R + t * bonus for small t > 0 (Result 2, right limit at t = 0).

    Args:
        mdp: the MDP.
        bonus: (pairs,), (S,) or (S, A) finite numbers, 0 at terminal states.
        exact: as for `perturbation_path`.

    Raises:
        InvalidInputError: a bonus of the wrong length, or an MDP too large for `exact=True`.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP
        >>> from policycliff.cliffs.lines.bonus import infinitesimal_bonus
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
        >>> infinitesimal_bonus(bandit, [0.0, 1.0, 9.0]).after
        array([False,  True, False])
    """
    check_exact(mdp, exact=exact)
    vector = check_direction("bonus", mdp, bonus)
    if use_exact(mdp, exact=exact):
        return _exact_bonus(mdp, vector)
    first = optimal_actions(solve(mdp, tolerance=1e-13))
    narrowed = restrict(mdp, first.members, rewards=vector)
    second = optimal_actions(solve(narrowed.mdp, tolerance=1e-13))
    if not first.is_resolved:
        # Which of the pairs in doubt are optimal is not known, so the bonus can exclude none of them.
        return InfinitesimalBonus(before=first.members, after=first.members, status=UNRESOLVED)
    after = frozen(narrowed.widen(second.members.astype(np.float64)) > 0.0)
    return InfinitesimalBonus(before=first.members, after=after, status=_status(second))


def _status(second: OptimalActions) -> str:
    return CERTIFIED if second.is_resolved else UNRESOLVED


def _exact_bonus(mdp: MDP, bonus: np.ndarray) -> InfinitesimalBonus:
    """In fractions: the optimum, then the best for the bonus among its policies."""
    exact, rewards = make_exact(mdp), (rationals(mdp.rewards), rationals(bonus))
    lines, before = optimum_at(exact, rewards, rational(0.0))
    return InfinitesimalBonus(before, right_limit(exact, rewards, lines, before).inside(), EXACT)
