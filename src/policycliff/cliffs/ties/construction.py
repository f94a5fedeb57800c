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

import numpy as np

from policycliff.actions.kernels import TIED, UNRESOLVED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.optimal_sets import settled_actions
from policycliff.cliffs.ties.perturbation import CliffPerturbation
from policycliff.cliffs.ties.tie import Tie, find_tie
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, check_choice, fail
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.distances import state_shifts
from policycliff.policies.selection import greedy_policy, uniform_policy
from policycliff.shapes import Float64

CONSTRUCTIONS = ("paper", "sharp", "pair")
CERTIFIED, UNDECIDED, MISSED = "certified", "unresolved", "missed"


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
        >>> moved.rewards, moved.actions_after.tolist(), moved.status, moved.uniform_jump
        (array([1.  , 1.25, 0.  ]), [1], 'certified', 0.5)
    """
    check_mdp(mdp)
    check_size(epsilon, construction)
    tie = find_tie(mdp, state, action, width=width, state_metric=state_metric, action_metric=action_metric, exact=exact)
    height = height_share(construction, mdp.gamma) * epsilon
    wanted = tie.lift(height) if construction != "pair" else height * (np.arange(mdp.n_pairs) == tie.pair)
    rewards = added_within(mdp.rewards, wanted, epsilon)
    check_not_lost(tie, moved=bool((rewards != mdp.rewards).any()), epsilon=epsilon)
    return finish(tie, rewards, epsilon=epsilon, construction=construction, height=height, exact=exact)


def check_size(epsilon: float, construction: str) -> None:
    """Raise unless epsilon is positive and finite and the construction is known."""
    if not 0.0 < as_number("epsilon", epsilon) < np.inf:
        raise fail(got=f"epsilon = {epsilon!r}", expected="a positive finite size", remedy="Try 1e-3.")
    check_choice("construction", construction, CONSTRUCTIONS)


def height_share(construction: str, gamma: float) -> float:
    """The ratio e' / e: 1 / (1 + gamma) in the paper, 1 where that is enough."""
    return 1.0 / (1.0 + gamma) if construction == "paper" else 1.0


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
    after = settled_actions(moved, exact=exact)
    shifts = [float(state_shifts(moved, rule(before), rule(after))[state]) for rule in (greedy_policy, uniform_policy)]
    return CliffPerturbation(
        before=before,
        after=after,
        state=int(state),
        action=int(tie.action),
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
