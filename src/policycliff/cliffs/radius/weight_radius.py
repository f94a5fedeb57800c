"""How far mixture weights are from the cliff: the least change of the weights that makes the optimal policy another.

Theory. Under weights w + delta the reward is R_eff + sum_k delta_k(s) R_k, so the advantage of a pair under the
optimal policy pi is linear in delta. With constant weights its coefficients are c_k = A^pi_k(s, a), the advantages of
pi under each component; with weights (K, S) they are c_k(s') = row(s, a)[s'] R_k(s', pi(s')), plus R_k(s, a) at s' =
s, with the row of the stability radius. Allowed are sum_k delta_k(s) = 0 and w + delta >= 0, and rho(s, a) is the
least norm with c . delta >= gap. The norm is over components; of weights (K, S) it is the largest over states.

A pair counts if some allowed weights make its advantage positive: max_k A^pi_k(s, a) > 0 for constant weights. Where
it only ever reaches 0 the policy stays optimal. A tie counts if some allowed change breaks it in either direction,
that is if some coefficient differs between components; the policy that was chosen among the tied ones does not matter
then.

The base point is the float64 effective reward. Each rho has an interval; where it is open whether a pair counts, the
interval has no upper end. Cost: constant weights: K evaluations, then a sort of K numbers per pair and bisection step
for the few pairs whose lower bound gap / (dual norm of c) is below the best. Weights (K, S): a row of the resolvent
for each of them.

Source: linear-programming sensitivity; paper, sections 4.1 and 6.3.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.radius.allowed_changes import RewardTuple
from policycliff.cliffs.radius.gaps import make_gaps
from policycliff.cliffs.radius.reached import reached_from_start
from policycliff.cliffs.radius.result import finite
from policycliff.cliffs.radius.weight_search import WeightsFound, make_weight_search
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_choice, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.chain import deterministic_chain


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightRadius:
    """Distance from mixture weights to the nearest ones under which the optimal policy is another.

    Attributes:
        radius: the norm of the least change; inf where no allowed weights change the policy. Where status is
            "unresolved" or "bracket" the lower end of `bracket`.
        bracket: (low, high), which contains the true radius.
        witness: the change delta of the weights, (K,) or (K, S); it ties the minimiser (0 if there is none).
        state: state of the minimiser, -1 if there is none.
        action: its action index, -1 if there is none.
        status: "exact", "tied" (radius 0), "unresolved" (it is open whether some nearer pair counts) or "bracket"
            (reachable states only).
        norm: "inf", "1" or "2", over components; for weights (K, S) the largest over states.
        reachable_only: whether only behaviour from the initial distribution counts.
        pairs_solved: pairs whose least change was computed.
    """

    radius: float
    bracket: tuple[float, float]
    witness: Float64[np.ndarray, "*shape"]
    state: int
    action: int
    status: str
    norm: str
    reachable_only: bool
    pairs_solved: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "radius": finite(self.radius),
            "bracket": [finite(end) for end in self.bracket],
            "witness": self.witness.tolist(),
            "state": self.state,
            "action": self.action,
            "status": self.status,
            "norm": self.norm,
            "reachable_only": self.reachable_only,
            "pairs_solved": self.pairs_solved,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.state >= 0 else "no pair"
        scope = ", reachable states only" if self.reachable_only else ""
        return (
            f"WeightRadius({self.radius:.6g} in the {self.norm}-norm of the weights, {self.status}{scope}; at {where}; "
            f"between {self.bracket[0]:.6g} and {self.bracket[1]:.6g})"
        )


def weight_radius(mdp: MDP, group: RewardTuple, *, norm: str, reachable_only: bool, exact: bool) -> WeightRadius:
    """The radius of the weights behind an MDP's effective reward; see `stability_radius` with moving="weights"."""
    _check(group, norm)
    gaps = make_gaps(mdp, exact=exact)
    search = make_weight_search(gaps, group, norm=norm)
    if not reachable_only:
        return _result(search.run(None), mdp, norm=norm, reachable_only=False)
    outer, inner = reached_from_start(mdp, deterministic_chain(mdp, np.array(gaps.best)))
    wide, near = search.run(outer), search.run(inner)
    if wide.pair != near.pair or wide.status == "unresolved":
        high = np.inf if near.status == "unresolved" else near.bracket[1]
        bracket = (wide.bracket[0], high)
        near = WeightsFound(bracket[0], bracket, near.pair, near.delta, "bracket", near.solved)
    return _result(near, mdp, norm=norm, reachable_only=True, more=wide.solved)


def _result(found: WeightsFound, mdp: MDP, *, norm: str, reachable_only: bool, more: int = 0) -> WeightRadius:
    return WeightRadius(
        radius=found.radius,
        bracket=found.bracket,
        witness=frozen(found.delta),
        state=int(mdp.pair_states[found.pair]) if found.pair >= 0 else -1,
        action=int(mdp.actions[found.pair]) if found.pair >= 0 else -1,
        status=found.status,
        norm=norm,
        reachable_only=reachable_only,
        pairs_solved=found.solved + more,
    )


def _check(group: RewardTuple, norm: str) -> None:
    """Raise unless the norm exists for these weights and none of them is negative."""
    check_choice("norm", norm, ("1", "2", "inf"))
    if norm == "2" and group.weights.ndim == 2:
        raise fail(
            got=f"norm = '2' for weights of shape {group.weights.shape}",
            expected="one of '1' and 'inf'",
            remedy="The 2-norm is there for constant weights only.",
        )
    negative = first_true(group.weights.ravel() < 0.0)
    if negative >= 0:
        raise fail(
            got=f"weight {group.weights.ravel()[negative]} at index {np.unravel_index(negative, group.weights.shape)}",
            expected="weights of at least 0 where the weights move",
            remedy="Negate the component instead: a penalty with a negative weight is a reward with a positive one.",
        )
