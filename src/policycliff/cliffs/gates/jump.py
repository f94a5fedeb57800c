"""Where a hard gate makes the map from rewards to soft policies discontinuous, entropy or not, and by how much.

A hard gate (temperature 0) puts all weight of a state on the component with the largest logit. At a tie arbitrarily
small moves of the components make any tied component the only one, as far as the gain lets a small move tell them
apart. So R_eff(s, .) has several one-sided limits, the rewards R_k(s, .) of the tied components themselves, and they
differ by up to the spread D: Lemma 4.2 fails for every constant. The soft policy is a continuous function of R_eff, so
it has the soft optima of these limits as its own, and jumps by exactly their total variation, however large its
temperature is: the entropy does not help. In a bandit that is at most tanh(span(R_k - R_l) / (4 alpha)), attained by
two actions that the components rank in opposite order by the same lead.

With a gate of temperature T > 0 there is no jump. Across a tie of two logits, from -e to e along such a direction, the
weights move by tanh(r e / (2 T)), r the growth of the difference of the logits: most of the jump within e of some T /
r.

The tuple is read up to the rounding of its logits: logits that differ by less are called tied. Rows of the gain whose
distance from the hull of the others is below 1e-9 of their size count as inside.

Cost: one soft solve for each limit, and two for each measured step.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog

from policycliff.cliffs.soft.problem import make_problem
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.distances import state_shifts
from policycliff.rewards.effective import effective_reward
from policycliff.rewards.gates.gate import Gate
from policycliff.rewards.gates.gated import GatedReward, gated_reward, softened, statistic_size, top_logits, with_move
from policycliff.rewards.gates.growth import statistic_gradient
from policycliff.shapes import Float64, Int64
from policycliff.values.operator import amplification
from policycliff.values.regularizers import Entropy
from policycliff.values.solution import Solution

STEPS = (1e-2, 1e-4, 1e-6)
LEAST_LEAD = 1e-9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GateJump:
    """The jump of effective reward and soft policy at a tie of a hard gate.

    Attributes:
        state: the state whose gate is tied, -1 if none is.
        components: the tied components that an arbitrarily small move singles out; fewer than two: no jump. Components
            with one row of the gain win together, in equal shares: the first of them stands for all.
        limits: (limits, pairs) the effective reward for each of them: the one-sided limits.
        policies: (limits, pairs) the soft policy for each of them.
        directions: (limits, K, pairs) moves of the components, of sup norm 1: any small enough multiple of one singles
            out its component.
        reward_jump: the largest |difference| between two of the limits.
        policy_jump: the largest total variation in any state between two of the policies.
        policy_error: bound on the error of `policy_jump`.
        steps: (steps,) sizes of moves that were tried, and ...
        measured: ... (steps,) the total variation found between the tuples moved by that size along the two directions
            of the largest jump; it does not go to 0 with the step.
    """

    state: int
    components: Int64[np.ndarray, " limits"]
    limits: Float64[np.ndarray, "limits pairs"]
    policies: Float64[np.ndarray, "limits pairs"]
    directions: Float64[np.ndarray, "limits components pairs"]
    reward_jump: float
    policy_jump: float
    policy_error: float
    steps: Float64[np.ndarray, " steps"]
    measured: Float64[np.ndarray, " steps"]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        vectors = ("components", "limits", "policies", "directions", "steps", "measured")
        numbers = ("state", "reward_jump", "policy_jump", "policy_error")
        return {
            **{name: getattr(self, name) for name in numbers},
            **{name: getattr(self, name).tolist() for name in vectors},
        }

    def __repr__(self) -> str:
        if self.components.size < 2:
            return "GateJump(no jump here: no logits are tied that a small move of the rewards tells apart)"
        return (
            f"GateJump(state {self.state} between components {self.components.tolist()}: effective reward jumps by "
            f"{self.reward_jump:.6g}, soft policy by {self.policy_jump:.6g} (error {self.policy_error:.1g}); measured "
            f"{self.measured[-1]:.6g} for moves of {self.steps[-1]:.1g})"
        )


def gate_jump(mdp: MDP, rewards: Any, gate: Gate, temperature: float, *, state: int | None = None) -> GateJump:
    """The jump of the soft policy where the logits of a gate tie, for the hard gate with these logits (section 4.6).

    Args:
        mdp: the MDP; its own rewards do not matter.
        rewards: K components, (K, pairs) or (K, S, A).
        gate: from `reward_gate`; whatever its temperature, the hard gate with its logits is looked at.
        temperature: alpha of the entropy of the policy; positive.
        state: the state to look at; by default the tied one with the largest spread of components.

    Returns:
        A `GateJump`, without components where no logits are tied that small moves tell apart. The jump is exact within
        `policy_error`, for logits that are tied within their rounding; the gates of other states stay as they are.

    Raises:
        InvalidInputError: a tuple, gate or state that does not fit the MDP, or a temperature that is not positive.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, gate_jump, reward_gate
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> found = gate_jump(bandit, [[1.0, 0.0], [0.0, 1.0]], reward_gate(1.0, temperature=0.0), 1.0)
        >>> found.reward_jump, round(found.policy_jump, 6), round(float(np.tanh(0.5)), 6)
        (1.0, 0.462117, 0.462117)
    """
    check_mdp(mdp)
    Entropy(temperature)  # refuses a bad temperature before any work
    chosen = None if state is None else _check_state(mdp, state)
    hard = softened(gated_reward(mdp, rewards, gate), 0.0)
    place = _tied_state(hard) if chosen is None else chosen
    found = _directions(hard, place) if place >= 0 else {}
    if len(found) < 2:
        return _no_jump(hard)
    limits = np.array([_limit(hard, place, component) for component in found])
    solutions = [_solved(hard.mdp, limit, temperature) for limit in limits]
    jump, ends = _largest(mdp, [solution.policy for solution in solutions])
    rounding = 2.0 * float(np.tanh(hard.rounding * amplification(mdp) / (2.0 * temperature)))
    directions = np.array(list(found.values()))
    steps = np.array(STEPS) * (float(hard.spread.max()) or 1.0)
    measured = [_between(hard, directions[list(ends)], size, temperature) for size in steps.tolist()]
    return GateJump(
        state=place,
        components=frozen(np.array(list(found), dtype=np.int64)),
        limits=frozen(limits),
        policies=frozen(np.array([solution.policy for solution in solutions])),
        directions=frozen(directions),
        reward_jump=float((limits.max(axis=0) - limits.min(axis=0)).max()),
        policy_jump=jump,
        policy_error=rounding + 2.0 * max(solution.policy_error_bound for solution in solutions),
        steps=frozen(steps),
        measured=frozen(np.array(measured)),
    )


def _no_jump(hard: GatedReward) -> GateJump:
    """The result where no logits are tied, or no small move tells the tied ones apart."""
    count, pairs = hard.components.shape
    return GateJump(
        state=-1,
        components=frozen(np.zeros(0, np.int64)),
        limits=frozen(np.zeros((0, pairs))),
        policies=frozen(np.zeros((0, pairs))),
        directions=frozen(np.zeros((0, count, pairs))),
        reward_jump=0.0,
        policy_jump=0.0,
        policy_error=0.0,
        steps=frozen(np.zeros(0)),
        measured=frozen(np.zeros(0)),
    )


def _solved(mdp: MDP, rewards: Float64[np.ndarray, " pairs"], temperature: float) -> Solution:
    """The soft optimum of another reward."""
    alive = np.where(mdp.terminal[mdp.pair_states], 0.0, rewards)
    problem = make_problem(mdp.with_rewards(alive), reference_policy=None, mask=None, half_widths=None)
    return problem.solve(temperature)


def _tied_state(hard: GatedReward) -> int:
    """The tied state where components disagree most, -1 if rewards can break no tie."""
    top, gain = top_logits(hard.logits, hard.logit_error), hard.gate.gain_matrix(len(hard.components))
    apart = [np.unique(gain[column], axis=0).shape[0] > 1 for column in top.T]
    tied = np.array(apart) & (statistic_size(hard.mdp, hard.gate) > 0.0)
    widest = np.where(tied, np.maximum.reduceat(hard.spread, hard.mdp.offsets[:-1]), -1.0)
    return int(np.argmax(widest)) if tied.any() else -1


def _directions(hard: GatedReward, state: int) -> dict[int, Float64[np.ndarray, "components pairs"]]:
    """For each tied component that can be singled out a move that does so.

    Of components with one row of the gain, which win together, only the first is listed.
    """
    gain = hard.gate.gain_matrix(len(hard.components))
    tied = np.flatnonzero(top_logits(hard.logits, hard.logit_error)[:, state])
    rows, firsts = np.unique(gain[tied], axis=0, return_index=True)
    if len(rows) < 2 or statistic_size(hard.mdp, hard.gate)[state] == 0.0:
        return {}
    result = dict[int, Float64[np.ndarray, "components pairs"]]()
    for first in np.sort(firsts).tolist():
        wanted = _lead(gain[tied[first]] - rows)
        if wanted is not None:
            result[int(tied[first])] = _move_of(hard, state, wanted)
    return result


def _lead(leads: Float64[np.ndarray, "rows components"]) -> Float64[np.ndarray, " components"] | None:
    """How far the statistics move, |x| <= 1, so that the least lead . x is as large as can be; None if not above 0.

    A linear program in units of the largest lead; that its x leads is checked, whatever its tolerance.
    """
    others = leads[leads.any(axis=1)] / np.abs(leads).max()
    program = linprog(
        np.append(np.zeros(others.shape[1]), -1.0),
        A_ub=np.hstack([-others, np.ones((len(others), 1))]),
        b_ub=np.zeros(len(others)),
        bounds=[(-1.0, 1.0)] * others.shape[1] + [(None, 2.0 * others.shape[1])],
        method="highs",
    )
    found = None if program.x is None else np.asarray(program.x[:-1])
    return found if found is not None and float((others @ found).min()) > LEAST_LEAD else None


def _move_of(hard: GatedReward, state: int, wanted: Float64[np.ndarray, " components"]) -> np.ndarray:
    """(K, pairs) a move of sup norm at most 1 at one state whose statistics move like `wanted`."""
    here = hard.mdp.pair_states == state
    if isinstance(hard.gate.statistic, str):
        # All rewards of a component together: mean and largest move with them.
        return wanted[:, None] * here
    return wanted[:, None] * np.sign(statistic_gradient(hard)) * here


def _limit(hard: GatedReward, state: int, component: int) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) the effective reward with all weight of the state on one component, and those that win with it."""
    weights, gain = hard.weights.copy(), hard.gate.gain_matrix(len(hard.components))
    alike = (gain == gain[component]).all(axis=1) & top_logits(hard.logits, hard.logit_error)[:, state]
    weights[:, state] = alike / alike.sum()
    return effective_reward(hard.components, weights, mdp=hard.mdp)


def _largest(mdp: MDP, policies: list[Float64[np.ndarray, " pairs"]]) -> tuple[float, tuple[int, int]]:
    """The largest total variation between two policies in any state, and which two."""
    best, ends = 0.0, (0, 0)
    for first in range(len(policies)):
        for second in range(first):
            shift = float(state_shifts(mdp, policies[first], policies[second]).max())
            if shift >= best:
                best, ends = shift, (second, first)
    return best, ends


def _between(hard: GatedReward, directions: np.ndarray, size: float, temperature: float) -> float:
    """Total variation between the soft policies of the tuple moved by this size in the two directions."""
    ends = [with_move(hard, rewards=size * direction) for direction in directions]
    policies = [_solved(hard.mdp, end.rewards, temperature).policy for end in ends]
    return float(state_shifts(hard.mdp, policies[0], policies[1]).max())


def _check_state(mdp: MDP, state: int) -> int:
    index = as_integer("state", state)
    if not 0 <= index < mdp.n_states:
        raise fail(got=f"state = {state}", expected=f"0 to {mdp.n_states - 1}", remedy="Check the index.")
    return index
