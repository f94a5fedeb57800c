"""The constructions of Propositions 2.9, 2.10 and 3.2: an arbitrarily small reward change that decides a tie.

Let a2 be one of several optimal actions at s0. Three constructions make it the only one:

"paper"   Q_e = Q* + e' phi with e' = e / (1 + gamma) and a bump phi (Lemma C.1) that is 1 at (s0, a2) and 0 at the
          other optimal actions there; R_e is the reward whose optimal Q-values are Q_e (inverse Bellman map).
"sharp"   the same with e' = e. It suffices: V_e - V* lies in [0, e'], so the change e' phi - gamma P (V_e - V*) lies in
          [-gamma e', e'], and ||R_e - R|| <= e' without the factor 1 + gamma.
"pair"    R_e = R + e at the pair (s0, a2) alone. A policy that is optimal for R_e and never takes (s0, a2) is worth at
          most V*(s0) at s0, but V_e(s0) >= V*(s0) + e: so every optimal action at s0 is a2.

With the default (discrete) metrics the bump is the indicator of (s0, a2). Then "paper" and "sharp" change nothing but
Q(s0, a2): no other state's optimal actions change, because the rewards of s0's predecessors pay back what s0 gained.
"pair" moves no other reward, but V*(s0) rises, and ties between ways to s0 and ways around it break as well.
(Floats round what the predecessors pay back, which can break a tie elsewhere by the last digit; `states_changed` then
lists it. Short binary fractions, such as a height of 2^-10, avoid that.)

The bump need not be 0 at the other optimal actions: below 1 is enough, and then Q(s0, a2) wins by e' (1 - phi).

The change is computed from gaps, not as a difference of two large rewards, and is rounded towards the old reward, so
the sup norm of what is returned is at most e exactly. Whether a2 alone is optimal afterwards is then found by solving
the new MDP. Cost: two solves and one product with the kernel.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from policycliff.actions.kernels import TIED, UNRESOLVED
from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP
from policycliff.policies.distances import state_shifts
from policycliff.policies.selection import greedy_policy, uniform_policy
from policycliff.rewards.bump import bump, metrics_of
from policycliff.values.solution import Solution
from policycliff.values.solve import solve

CONSTRUCTIONS = ("paper", "sharp", "pair")
CERTIFIED, UNDECIDED, MISSED = "certified", "unresolved", "missed"

# Unresolved states of MDPs up to this size are decided in rational arithmetic without being asked.
AUTOMATIC_EXACT_LIMIT = 40


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CliffPerturbation:
    """A reward change of at most `epsilon` after which one tied action alone is optimal at a state.

    Attributes:
        before: sets of optimal actions under the given reward (`before.mdp`).
        after: sets of optimal actions under the changed reward (`after.mdp`), found by solving.
        state: s0.
        action: index of the action a2 that wins there.
        epsilon: the size that was asked for, in units of reward.
        construction: "paper", "sharp" or "pair".
        height: e', the height of the bump in Q ("pair": the change of the one reward).
        shape: (pairs,) the bump phi.
        change: (pairs,) new minus old reward.
        status: "certified" (before: tied with a2 in the set; after: a2 alone; both proven), "unresolved" (floating
            point cannot tell; try `exact=True`) or "missed" (proven otherwise: epsilon is near the rewards' rounding).
        greedy_jump: total variation at s0 of the policies that take the first optimal action: 1, or 0 if a2 was first.
        uniform_jump: the same for uniform selection: (m - 1) / m with m tied actions (Prop 2.10).
    """

    before: OptimalActions
    after: OptimalActions
    state: int
    action: int
    epsilon: float
    construction: str
    height: float
    shape: Float64[np.ndarray, " pairs"]
    change: Float64[np.ndarray, " pairs"]
    status: str
    greedy_jump: float
    uniform_jump: float

    @property
    def rewards(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) the changed rewards R_e."""
        return self.after.mdp.rewards

    @property
    def norm(self) -> float:
        """Sup norm of the change; its relative rounding error is at most 2^-52."""
        return float(np.abs(self.change).max())

    @property
    def change_range(self) -> tuple[float, float]:
        """Least and largest change: within [-gamma e', e']."""
        return float(self.change.min()), float(self.change.max())

    @property
    def actions_before(self) -> Int64[np.ndarray, " tied"]:
        """Indices of the optimal actions at s0 under the given reward."""
        return self.before.mdp.actions[self.before.pairs(self.state)]

    @property
    def actions_after(self) -> Int64[np.ndarray, " left"]:
        """Indices of the optimal actions at s0 under the changed reward."""
        return self.after.mdp.actions[self.after.pairs(self.state)]

    @property
    def states_changed(self) -> Int64[np.ndarray, " changed"]:
        """States whose set of optimal actions is proven to have changed, s0 among them."""
        return np.flatnonzero(self._differs() & self._resolved())

    @property
    def states_unresolved(self) -> Int64[np.ndarray, " open"]:
        """States of which floating point cannot tell whether their set changed."""
        return np.flatnonzero(~self._resolved())

    def selection_jump(self, policy: Float64[np.ndarray, " pairs"]) -> float:
        """Total variation at s0 from any selection of optimal actions to a2: 1 - policy(a2 | s0).

        Chosen over the tied actions, the largest is 1 - min policy >= (m - 1) / m: uniform selection is the least bad.
        """
        return 1.0 - float(policy[self.before.mdp.pair(self.state, self.action)])

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "state": self.state,
            "action": self.action,
            "epsilon": self.epsilon,
            "construction": self.construction,
            "height": self.height,
            "status": self.status,
            "norm": self.norm,
            "change_range": list(self.change_range),
            "actions_before": self.actions_before.tolist(),
            "actions_after": self.actions_after.tolist(),
            "greedy_jump": self.greedy_jump,
            "uniform_jump": self.uniform_jump,
            "states_changed": self.states_changed.tolist(),
            "states_unresolved": self.states_unresolved.tolist(),
            "shape": self.shape.tolist(),
            "change": self.change.tolist(),
            "rewards": self.rewards.tolist(),
        }

    def __repr__(self) -> str:
        mdp, low_high = self.before.mdp, self.change_range
        return (
            f"CliffPerturbation({self.status}: at {mdp.state_name(self.state)} the optimal actions "
            f"{self.actions_before.tolist()} become {self.actions_after.tolist()} under a change of {self.norm:.4g} "
            f"(asked: {self.epsilon:.4g}, by {self.construction!r}), in [{low_high[0]:.4g}, {low_high[1]:.4g}]; "
            f"total variation {self.greedy_jump:g} greedy, {self.uniform_jump:.4g} uniform; "
            f"{self.states_changed.size} states change, {self.states_unresolved.size} unresolved)"
        )

    def _resolved(self) -> np.ndarray:
        return (self.before.codes != UNRESOLVED) & (self.after.codes != UNRESOLVED)

    def _differs(self) -> np.ndarray:
        return np.add.reduceat(self.before.members != self.after.members, self.before.mdp.offsets[:-1]) > 0


@dataclass(frozen=True, slots=True, eq=False)
class Tie:
    """A tie at `state` that `action` (of index `pair`) is to win, with what the constructions need to know of it.

    `shape` is the bump and `gaps` (pairs,) are V* - Q*, 0 where that is proven.
    """

    before: OptimalActions
    state: int
    action: int
    pair: int
    shape: Float64[np.ndarray, " pairs"]
    gaps: Float64[np.ndarray, " pairs"]

    def lift(self, height: float) -> Float64[np.ndarray, " pairs"]:
        """What the inverse Bellman map makes of Q* + height * shape, minus R: height * shape - gamma P (V_e - V*)."""
        mdp = self.before.mdp
        raised = height * self.shape
        rise = np.maximum(np.maximum.reduceat(raised - self.gaps, mdp.offsets[:-1]), 0.0)
        return np.asarray(raised - mdp.gamma * (mdp.transitions @ rise))

    def support(self) -> np.ndarray:
        """(pairs,) whose rewards `lift` can change."""
        mdp = self.before.mdp
        raised = np.maximum.reduceat(self.shape, mdp.offsets[:-1])
        return (self.shape > 0.0) | (mdp.gamma * (mdp.transitions @ raised) > 0.0)


def cliff_perturbation(
    mdp: MDP,
    state: int,
    action: int,
    epsilon: float,
    *,
    construction: str = "paper",
    width: float | None = None,
    state_metric: MetricGrid | None = None,
    action_metric: MetricGrid | None = None,
    exact: bool = False,
) -> CliffPerturbation:
    """A reward within epsilon of `mdp.rewards` under which one tied action alone is optimal (Props 2.9, 2.10, 3.2).

    Args:
        mdp: the MDP.
        state: s0, a state with two or more optimal actions.
        action: a2, the index of the optimal action that is to win.
        epsilon: largest change of a reward, above 0, in units of reward.
        construction: "paper" (height epsilon / (1 + gamma)), "sharp" (height epsilon) or "pair" (one reward).
        width: width of the bump; by default the distance from a2 to the nearest other optimal action, the largest at
            which the bump is 0 there. With the discrete metrics it is then the indicator of (s0, a2).
        state_metric: distances of states; by default all are 1 apart.
        action_metric: distances of action indices; by default all are 1 apart.
        exact: decide what is optimal before and after in rational arithmetic (done by itself up to 40 states).

    Returns:
        A `CliffPerturbation`; ||R_e - R|| <= epsilon holds exactly, `status` says whether the rest is proven.

    Raises:
        InvalidInputError: an argument is out of range, the action is not optimal at that state or is the only optimal
            one, or epsilon is lost in the rounding of the reward.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, cliff_perturbation
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
        >>> moved = cliff_perturbation(bandit, 0, 1, 0.25)
        >>> moved.rewards, moved.actions_after, moved.status, moved.uniform_jump
        (array([1.  , 1.25, 0.  ]), array([1]), 'certified', 0.5)
    """
    check_size(epsilon, construction)
    tie = find_tie(mdp, state, action, width=width, state_metric=state_metric, action_metric=action_metric, exact=exact)
    height = height_share(construction, mdp.gamma) * epsilon
    wanted = tie.lift(height) if construction != "pair" else height * (np.arange(mdp.n_pairs) == tie.pair)
    rewards = added_within(mdp.rewards, wanted, epsilon)
    check_not_lost(tie, moved=bool((rewards != mdp.rewards).any()), epsilon=epsilon)
    return finish(tie, rewards, epsilon=epsilon, construction=construction, height=height, exact=exact)


def check_size(epsilon: float, construction: str) -> None:
    """Raise unless epsilon is positive and finite and the construction is known."""
    if not 0.0 < epsilon < np.inf:
        raise fail(got=f"epsilon = {epsilon!r}", expected="a positive finite size", remedy="Try 1e-3.")
    if construction not in CONSTRUCTIONS:
        raise fail(got=f"construction = {construction!r}", expected=f"one of {CONSTRUCTIONS}", remedy="Check it.")


def height_share(construction: str, gamma: float) -> float:
    """The ratio e' / e: 1 / (1 + gamma) in the paper, 1 where that is enough."""
    return 1.0 / (1.0 + gamma) if construction == "paper" else 1.0


def find_tie(
    mdp: MDP,
    state: int,
    action: int,
    *,
    width: float | None,
    state_metric: MetricGrid | None,
    action_metric: MetricGrid | None,
    exact: bool,
) -> Tie:
    """The tie that the action takes part in.

    Raises:
        InvalidInputError: there is no such tie.
    """
    pair = mdp.pair(state, action)
    metrics_of(mdp, state_metric, action_metric)
    if width is not None:
        bump(mdp, state, action, width=width)
    if mdp.terminal[state]:
        raise fail(
            got=f"terminal {mdp.state_name(state)}", expected="a state with a choice", remedy="Take one before the end."
        )
    solution, before = resolved_actions(mdp, exact=exact)
    _check_tied(solution, before, state, pair)
    if width is None:
        _, actions = metrics_of(mdp, state_metric, action_metric)
        others = np.setdiff1d(mdp.actions[before.pairs(state)], [action])
        width = float(actions.distances_from(action)[others].min())
    shape = bump(mdp, state, action, width=width, state_metric=state_metric, action_metric=action_metric)
    owners = mdp.pair_states
    settled = before.members & (before.codes[owners] != UNRESOLVED)
    gaps = np.where(settled, 0.0, np.maximum(solution.values[owners] - solution.q_values, 0.0))
    at_tie = before.members & (owners == state)
    return Tie(
        before=before,
        state=state,
        action=action,
        pair=pair,
        shape=frozen(np.where(mdp.terminal[owners], 0.0, shape)),
        gaps=frozen(np.where(at_tie, 0.0, gaps)),
    )


def resolved_actions(mdp: MDP, *, exact: bool) -> tuple[Solution, OptimalActions]:
    """Solution and sets of optimal actions, decided in rational arithmetic where asked for or cheap."""
    solution = solve(mdp, tolerance=1e-13)
    actions = optimal_actions(solution, exact=exact)
    if not actions.is_resolved and mdp.n_states <= AUTOMATIC_EXACT_LIMIT:
        actions = optimal_actions(solution, exact=True)
    return solution, actions


def _check_tied(solution: Solution, before: OptimalActions, state: int, pair: int) -> None:
    """Raise unless the pair is optimal, or cannot be told from it, and is not the only one."""
    mdp = solution.mdp
    optimal = mdp.actions[before.pairs(state)].tolist()
    if not before.members[pair]:
        gap = float(solution.values[state] - solution.q_values[pair])
        raise fail(
            got=f"{mdp.action_name(pair)} at {mdp.state_name(state)}, whose Q-value is {gap:.6g} below the best",
            expected=f"one of the optimal actions {optimal}",
            remedy="Arbitrarily small changes decide ties only; stability_radius says how far others must go.",
        )
    if len(optimal) == 1:
        raise fail(
            got=f"{mdp.action_name(pair)}, the only optimal action at {mdp.state_name(state)}",
            expected="a state with two or more optimal actions",
            remedy="There is no tie to break: the policy is locally constant here (Thm 2.7). "
            "stability_radius says how far.",
        )


def added_within(
    rewards: Float64[np.ndarray, "*shape"], change: Float64[np.ndarray, "*shape"], epsilon: float
) -> Float64[np.ndarray, "*shape"]:
    """Rewards plus change, rounded so that no entry moves by more than epsilon in exact arithmetic.

    A rounded sum that went too far (its difference is found without error by the two-sum) is taken one float back.
    """
    moved = rewards + np.clip(change, -epsilon, epsilon)
    difference = moved - rewards
    virtual = moved - difference
    rest = (moved - (difference + virtual)) + (virtual - rewards)
    size, outward = np.abs(difference), np.sign(difference) * rest
    too_far = (size > epsilon) | ((size == epsilon) & (outward > 0.0))
    return np.where(too_far, np.nextafter(moved, rewards), moved)


def check_not_lost(tie: Tie, *, moved: bool, epsilon: float) -> None:
    """Raise where rounding left every reward where it was."""
    if not moved:
        size = float(np.abs(tie.before.mdp.rewards[tie.pair]))
        raise fail(
            got=f"epsilon = {epsilon!r} beside a reward of size {size} at {tie.before.mdp.state_name(tie.state)}",
            expected=f"at least about {np.spacing(size):.3g}, the distance to the next float",
            remedy="Ask for a larger change.",
        )


def finish(
    tie: Tie,
    rewards: Float64[np.ndarray, " pairs"],
    *,
    epsilon: float,
    construction: str,
    height: float,
    exact: bool,
) -> CliffPerturbation:
    """Solve under the new rewards and compare."""
    before, state = tie.before, tie.state
    moved = before.mdp.with_rewards(rewards)
    _, after = resolved_actions(moved, exact=exact)
    shifts = [float(state_shifts(moved, rule(before), rule(after))[state]) for rule in (greedy_policy, uniform_policy)]
    return CliffPerturbation(
        before=before,
        after=after,
        state=state,
        action=tie.action,
        epsilon=float(epsilon),
        construction=construction,
        height=height,
        shape=tie.shape,
        change=frozen(rewards - before.mdp.rewards),
        status=_status(tie, after),
        greedy_jump=shifts[0],
        uniform_jump=shifts[1],
    )


def _status(tie: Tie, after: OptimalActions) -> str:
    if tie.before.codes[tie.state] != TIED or after.codes[tie.state] == UNRESOLVED:
        return UNDECIDED
    return CERTIFIED if after.pairs(tie.state).tolist() == [tie.pair] else MISSED
