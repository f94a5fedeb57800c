"""Proposition 3.1, the "clever slacker": which tied action proves that the training reward left something out.

Theory. Let pi be optimal for R_train in every state, a2 in A*(s0; R_train) and A^pi_missing(s0, a2) > 0. The
advantage of a2 under R_train is 0, so under R_train + R_missing it is A^pi_missing(s0, a2), and switching s0 to a2
gains x(s0) A^pi_missing(s0, a2) > 0, x being the discounted visits of the switched policy. The gain is a lower bound
on the loss.

What "reachable" must mean. x(s0) > 0 exactly if pi itself reaches s0 (up to its first visit both policies act alike),
at gamma = 0 exactly if s0 is an initial state. That some other policy reaches s0 is not enough, not even one that is
optimal for R_train: let a root be tied between "a", which ends and is worth 5 under R_missing, and "b", which leads
to s0, where the tied a2 is worth 1. All of the rest holds, and pi, which takes "a", is optimal for R_train +
R_missing.

The condition is sufficient, not necessary: a loss may need two switches at once, or an action that is not in A*.

Guarantee. A pair is listed if its advantage is positive beyond the error bound of the evaluation; where A* is not
settled, also under R_train + R_missing, so that what is listed is a proof in any case. Cost: two evaluations and two
solutions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.incomplete_evidence import (
    Evidence,
    Question,
    evidence_in_floats,
    evidence_in_fractions,
)
from policycliff.cliffs.degeneracy.optimal_sets import AUTOMATIC_EXACT_LIMIT, reached_within, settled_actions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail, first_true
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import start_distribution
from policycliff.policies.selection import greedy_policy
from policycliff.shapes import Bool, Float64, Int32, Int64
from policycliff.values.regularizers import check_policy

PROVEN, NONE, OPEN = "proven", "none", "unresolved"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IncompleteRewardCertificate:
    """The pairs that prove a policy optimal for R_train to be suboptimal for R_train + R_missing.

    Attributes:
        status: "proven" (at least one pair proves it), "none" (no pair does; `loss` may still be positive),
            "unresolved" (none is proven, and some are within the error).
        states: (found,) states s0 of the certifying pairs, strongest first.
        actions: (found,) their action indices a2.
        advantages: (found,) A^pi_missing(s0, a2), in units of reward.
        weighted_gains: (found,) discounted visits of s0 under pi times the advantage: the order of the list.
        one_step_gain: what switching to the strongest pair alone gains, from the initial distribution (0 without one).
        one_step_bracket: an interval that contains it.
        loss: best return under R_train + R_missing minus that of the policy.
        loss_bracket: an interval that contains it.
        policy: (pairs,) the policy that was examined.
        unresolved: number of pairs that floating point could not decide.
    """

    status: str
    states: Int64[np.ndarray, " found"]
    actions: Int32[np.ndarray, " found"]
    advantages: Float64[np.ndarray, " found"]
    weighted_gains: Float64[np.ndarray, " found"]
    one_step_gain: float
    one_step_bracket: tuple[float, float]
    loss: float
    loss_bracket: tuple[float, float]
    policy: Float64[np.ndarray, " pairs"]
    unresolved: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "status": self.status,
            "states": self.states.tolist(),
            "actions": self.actions.tolist(),
            "advantages": self.advantages.tolist(),
            "weighted_gains": self.weighted_gains.tolist(),
            "one_step_gain": self.one_step_gain,
            "one_step_bracket": [_finite(end) for end in self.one_step_bracket],
            "loss": self.loss,
            "loss_bracket": [_finite(end) for end in self.loss_bracket],
            "policy": self.policy.tolist(),
            "unresolved": self.unresolved,
        }

    def __repr__(self) -> str:
        pairs = ""
        if self.states.size:
            pairs = f"; strongest: state {self.states[0]}, action {self.actions[0]}, advantage {self.advantages[0]:.6g}"
        return (
            f"IncompleteRewardCertificate({self.status}: {self.states.size} pairs{pairs}; one switch gains "
            f"{self.one_step_gain:.6g}, the policy loses {self.loss:.6g}, {self.unresolved} unresolved)"
        )


def incomplete_reward_certificate(
    mdp: MDP, missing_rewards: Any, *, policy: Any = None, exact: bool = False
) -> IncompleteRewardCertificate:
    """Which (s0, a2) prove that an optimal policy for R_train is suboptimal for R_train + R_missing (Prop 3.1).

    Args:
        mdp: the MDP with R_train and an initial distribution.
        missing_rewards: R_missing: (pairs,), (S,) or (S, A), finite, 0 at terminal states.
        policy: (pairs,) the trained policy; it must choose from A*(s; R_train). By default the first optimal actions.
        exact: decide in rational arithmetic (up to 200 states, 20,000 where the MDP is acyclic; deterministic
            policies).

    Returns:
        An `IncompleteRewardCertificate`. MDPs of up to 40 states are decided in fractions where floats leave them open.

    Raises:
        InvalidInputError: wrong rewards, no initial distribution, a policy that is no policy or not optimal for
            R_train, or `exact` for a stochastic policy or an MDP that is too large.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, incomplete_reward_certificate
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0, initial=[1.0])
        >>> found = incomplete_reward_certificate(bandit, [[0.0, 0.5, 3.0]])
        >>> found.status, found.actions.tolist(), found.one_step_gain, found.loss
        ('proven', [1], 0.5, 2.0)
    """
    check_mdp(mdp)
    missing = mdp.with_rewards(missing_rewards, name="missing_rewards").rewards
    start = start_distribution(mdp)
    given = None if policy is None else frozen(check_policy("policy", policy, mdp))
    if exact and given is not None:
        _check_deterministic(mdp, given)
    actions = settled_actions(mdp, exact=exact)
    trained = greedy_policy(actions) if given is None else _check_optimal(given, actions)
    question = Question(
        mdp=mdp,
        missing=missing,
        policy=trained,
        start=start,
        candidates=_candidates(mdp, actions, trained),
    )
    if exact:
        return _certificate(question, evidence_in_fractions(question))
    found = evidence_in_floats(question, settled=actions.is_resolved)
    small = mdp.n_states <= AUTOMATIC_EXACT_LIMIT and bool(np.isin(trained, (0.0, 1.0)).all())
    if found.undecided.any() and small and actions.is_resolved:
        found = evidence_in_fractions(question)
    return _certificate(question, found)


def _candidates(mdp: MDP, actions: OptimalActions, policy: Float64[np.ndarray, " pairs"]) -> Bool[np.ndarray, " pairs"]:
    """Optimal actions of states that the policy reaches, except the only action it takes there."""
    return np.asarray(actions.members & reached_within(mdp, policy > 0.0)[mdp.pair_states] & (policy < 1.0))


def _certificate(question: Question, found: Evidence) -> IncompleteRewardCertificate:
    mdp, pairs = question.mdp, found.pairs
    undecided = int(found.undecided.sum())
    nothing = OPEN if undecided else NONE
    return IncompleteRewardCertificate(
        status=PROVEN if pairs.size else nothing,
        states=frozen(mdp.pair_states[pairs]),
        actions=frozen(mdp.actions[pairs]),
        advantages=frozen(found.advantages),
        weighted_gains=frozen(found.weighted),
        one_step_gain=found.gain,
        one_step_bracket=found.gain_bracket,
        loss=found.loss,
        loss_bracket=found.loss_bracket,
        policy=question.policy,
        unresolved=undecided,
    )


def _check_deterministic(mdp: MDP, policy: Float64[np.ndarray, " pairs"]) -> None:
    mixed = first_true(~np.isin(policy, (0.0, 1.0)))
    if mixed >= 0:
        raise fail(
            got=f"probability {policy[mixed]} at {mdp.state_name(int(mdp.pair_states[mixed]))} with exact=True",
            expected="a deterministic policy (probabilities 0 and 1)",
            remedy="Use exact=False for a stochastic policy.",
        )


def _check_optimal(policy: Float64[np.ndarray, " pairs"], actions: OptimalActions) -> Float64[np.ndarray, " pairs"]:
    """The policy, if it takes no action that is proven not to be optimal."""
    mdp = actions.mdp
    wrong = first_true((policy > 0.0) & ~actions.members)
    if wrong >= 0:
        state = int(mdp.pair_states[wrong])
        best = [mdp.action_name(int(pair)) for pair in actions.pairs(state)[:5]]
        raise fail(
            got=f"`policy` with probability {policy[wrong]} for {mdp.action_name(wrong)} at {mdp.state_name(state)}",
            expected=f"a policy that is optimal for the training reward: there {', '.join(best)}",
            remedy="Leave `policy` out to examine the first optimal actions.",
        )
    return policy


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
