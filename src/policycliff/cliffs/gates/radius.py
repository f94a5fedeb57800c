"""The stability radius through a gate: a proven lower bound and a measured upper one.

Let pi be the unique optimal policy of the effective reward. The advantage of another pair is linear in the effective
reward with the coefficients d of `cliffs/radius`, whatever the gate is. If all components move by at most e, state s
contributes at most

    e ||d_s||_1 + TV_e(s) spread_k(sum_a d(s, a) R_k(s, a)),

||d_s||_1 being the part of the norm at s, TV_e the bound on the shift of the weights: the spread is that of the
advantage, not of the rewards, so that components that disagree by the same amount on both actions cost nothing. pi
stays optimal while the sum over states is below the gap of every pair: the largest such e is found by bisection (the
sum grows with e) and is the lower end. It is never below (radius with fixed weights) / (largest constant of the gate).

The upper end is measured: climb d . R_eff in the ball, from its gradient, from corners that turn the gate and from
random ones, shorten the move until the advantage is about 0, and look again in smaller balls. It is verified by
evaluating pi at that tuple with its error bound: just there, pi is proven not to be optimal.

A gate with a linear statistic and a gain of equal row sums does not see a move that all components share, so that the
radius with fixed weights is an upper end too; for a gate that reads no rewards it is the radius. The largest rewards of
two components can move apart under a shared move.

Cost: one solve, one row of the resolvent and some tens of evaluations of the gate for each pair that may be the least.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.gates.radius_search import Walk, floors_of
from policycliff.cliffs.radius.allowed_changes import AllowedChanges
from policycliff.cliffs.radius.gaps import make_gaps
from policycliff.cliffs.radius.search import Found, make_search
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP, check_mdp
from policycliff.rewards.gates.gate import Gate
from policycliff.rewards.gates.gated import GatedReward, gated_reward
from policycliff.rewards.gates.growth import growth, logit_speed, margin
from policycliff.shapes import Float64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GateRadius:
    """How far the components of a tuple may move, each, before the optimal policy changes through the gate.

    Attributes:
        radius: the lower end of `bracket`: the optimal policy is proven to stay while all components move by less.
        bracket: (proven, measured), which contains the true radius; (r, inf) where the search found no change.
        fixed_weights: the radius if the weights stayed as they are.
        growth_bound: fixed_weights / (largest constant of the gate), the simplest lower bound.
        weight_radius: how far components may move before another logit can be the largest of a state: where a hard gate
            turns.
        state: state of the pair that the measured move makes better, -1 if there is none.
        action: its action index, -1 if there is none.
        witness: (K, pairs) the move of the components that makes it better.
        status: "exact" (the gate reads no rewards), "bracket", "tied" (the effective reward is tied: radius 0) or
            "unresolved" (a gap is below the solver's error).
        rows_solved: rows of the resolvent that were needed.
    """

    radius: float
    bracket: tuple[float, float]
    fixed_weights: float
    growth_bound: float
    weight_radius: float
    state: int
    action: int
    witness: Float64[np.ndarray, "components pairs"]
    status: str
    rows_solved: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        numbers = ("radius", "fixed_weights", "growth_bound", "weight_radius")
        return {
            **{name: _finite(getattr(self, name)) for name in numbers},
            "bracket": [_finite(end) for end in self.bracket],
            "state": self.state,
            "action": self.action,
            "witness": self.witness.tolist(),
            "status": self.status,
            "rows_solved": self.rows_solved,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.state >= 0 else "no pair"
        return (
            f"GateRadius(proven {self.bracket[0]:.6g}, measured {self.bracket[1]:.6g} at {where}, {self.status}; "
            f"with fixed weights {self.fixed_weights:.6g}; weights turn from {self.weight_radius:.4g} on)"
        )


def gate_radius(mdp: MDP, rewards: Any, gate: Gate) -> GateRadius:
    """The largest e such that the optimum stays while each component moves by less than e, through a gate: bracketed.

    Args:
        mdp: the MDP; its own rewards do not matter.
        rewards: K components, (K, pairs) or (K, S, A).
        gate: from `softmax_gate` or `reward_gate`.

    Returns:
        A `GateRadius`: the lower end is proven, at the upper end a tuple is shown whose optimum is another one.

    Raises:
        InvalidInputError: a tuple or a gate that does not fit the MDP.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, gate_radius, reward_gate
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> found = gate_radius(bandit, [[1.0, 0.0], [0.0, 0.5]], reward_gate(1.0, temperature=0.5))
        >>> found.bracket[0] < found.fixed_weights, found.bracket[0] <= found.bracket[1]
        (True, True)
    """
    check_mdp(mdp)
    gated = gated_reward(mdp, rewards, gate)
    gaps = make_gaps(gated.mdp)
    alive = (~mdp.terminal[mdp.pair_states]).astype(np.float64)
    fixed = make_search(gaps, AllowedChanges(frozen(alive), "inf", None))
    plain, turn = fixed.run(), weight_radius(gated)
    walk = Walk(gated, fixed, floors_of(gated, fixed, turn))
    low, rows = walk.lowest()
    decided = plain.status not in {"tied", "unresolved"}
    # Where the gate reads nothing, or is tied and does not see shared moves, the nearest change is known.
    known = _neutral(gated) and (plain.status == "tied" or not gate.reads_rewards)
    high, pair, witness = _nearest(gated, plain, walk, None if known else walk.measure())
    bracket = (min(low if decided else 0.0, high), high)
    exact = decided and not gate.reads_rewards
    constant = float(growth(gated).max())
    return GateRadius(
        radius=min(max(plain.radius, bracket[0]), high) if exact else bracket[0],
        bracket=bracket,
        fixed_weights=plain.radius,
        growth_bound=min(plain.bracket[0] / constant, bracket[0]) if np.isfinite(constant) else 0.0,
        weight_radius=turn,
        state=int(mdp.pair_states[pair]) if pair >= 0 else -1,
        action=int(mdp.actions[pair]) if pair >= 0 else -1,
        witness=frozen(witness),
        status=("exact" if exact else "bracket") if decided else plain.status,
        rows_solved=rows + plain.rows_solved,
    )


def _nearest(
    gated: GatedReward, plain: Found, walk: Walk, measured: tuple[float, int, np.ndarray] | None
) -> tuple[float, int, np.ndarray]:
    """Size, pair and move of the nearest change that is known."""
    if plain.pair >= 0 and _neutral(gated):
        # All components share the move of fixed weights, and the gate does not see it.
        shared = walk.shared(plain)
        if measured is None or shared[0] <= measured[0]:
            return shared
    return (np.inf, -1, np.zeros_like(gated.components)) if measured is None else measured


def weight_radius(gated: GatedReward) -> float:
    """How far components may move before another logit can be the largest of some state; inf if no reward is read."""
    moved, leads = logit_speed(gated), margin(gated)
    leads = np.maximum(leads - 2.0 * gated.logit_error, 0.0)
    reachable = (moved > 0.0) & ~gated.mdp.terminal
    return float((leads[reachable] / moved[reachable]).min(initial=np.inf))


def _neutral(gated: GatedReward) -> bool:
    """Whether shared moves leave the gate as it is: a linear statistic and equal row sums of the gain."""
    gain, statistic = gated.gate.gain, gated.gate.statistic
    linear = not isinstance(statistic, str) or statistic == "mean" or not gated.gate.reads_rewards
    return linear and (gain.ndim == 0 or bool(np.ptp(gain.sum(axis=1)) == 0.0))


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
