"""Is a reward in the cone of a policy? In floats with the proven error of the values, or in fractions.

In fractions no stochastic policy needs to be evaluated: it is optimal exactly if the deterministic policy of its first
actions is, and its other actions have advantage 0 under that one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.degeneracy.optimal_sets import AUTOMATIC_EXACT_LIMIT
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import make_exact, rationals
from policycliff.values.operator import UNIT_ROUNDOFF


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConeMembership:
    """Whether a policy is optimal under a reward.

    Attributes:
        status: "inside" (it is the only optimal policy), "boundary" (optimal, not the only one), "outside" (not
            optimal) or "unresolved" (the error does not tell).
        pair: outside: a pair with positive advantage; else the pair of largest advantage; -1 where there is no other.
        state: its state; -1.
        action: its action; -1.
        advantage: its advantage under the policy, up to `error_bound`; -inf where there is no other pair.
        error_bound: 0 where decided in fractions.
    """

    status: str
    pair: int
    state: int
    action: int
    advantage: float
    error_bound: float

    def __bool__(self) -> bool:
        """Whether the policy is proven optimal."""
        return self.status in {"inside", "boundary"}

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "status": self.status,
            "pair": self.pair,
            "state": self.state,
            "action": self.action,
            "advantage": self.advantage if np.isfinite(self.advantage) else None,
            "error_bound": self.error_bound,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.pair >= 0 else "no other pair"
        return f"ConeMembership({self.status}; largest advantage {self.advantage:.6g} at {where})"


def decide(mdp: MDP, policy: Float64[np.ndarray, " pairs"], *, exact: bool) -> ConeMembership:
    """Whether the policy is optimal under the MDP's reward.

    Raises:
        InvalidInputError: `exact`, and the MDP is too large for it.
    """
    if exact:
        return _in_fractions(mdp, policy)
    found = _in_floats(mdp, policy)
    if found.status == "unresolved" and mdp.n_states <= AUTOMATIC_EXACT_LIMIT:
        return _in_fractions(mdp, policy)
    return found


def _in_floats(mdp: MDP, policy: Float64[np.ndarray, " pairs"]) -> ConeMembership:
    found = evaluate(mdp, policy)
    size = float(np.abs(found.q_values).max() + np.abs(found.values).max())
    error = 2.0 * found.error_bound + 2.0 * UNIT_ROUNDOFF * size
    # A pair that is always taken has advantage 0 without any error.
    others = (policy < 1.0) & ~mdp.terminal[mdp.pair_states]
    advantages = np.where(others, found.advantages(mdp), -np.inf)
    pair = int(np.argmax(advantages))
    largest = float(advantages[pair])
    if largest > error:
        status = "outside"
    elif largest < -error and not (others & (policy > 0.0)).any():
        status = "inside"
    else:
        status = "unresolved"
    return _membership(mdp, status, pair=pair, advantage=largest, error=error)


def _in_fractions(mdp: MDP, policy: Float64[np.ndarray, " pairs"]) -> ConeMembership:
    exact, rewards = make_exact(mdp), rationals(mdp.rewards)
    support = np.flatnonzero(policy)
    first = support[np.searchsorted(mdp.pair_states[support], np.arange(mdp.n_states))]
    values = exact.values(first.tolist(), [rewards])[0]
    q = exact.q_values(values, rewards)
    advantages = [entry - values[state] for entry, state in zip(q, mdp.pair_states.tolist(), strict=True)]
    others = [pair for pair in range(mdp.n_pairs) if pair != first[mdp.pair_states[pair]]]
    if not others:
        return _membership(mdp, "inside", pair=-1, advantage=-np.inf, error=0.0)
    pair = max(others, key=lambda candidate: advantages[candidate])
    if advantages[pair] > 0:
        return _membership(mdp, "outside", pair=pair, advantage=float(advantages[pair]), error=0.0)
    worse = [taken for taken in support.tolist() if advantages[taken] < 0]
    if worse:
        # The policy loses there by taking it at all; its first action does better than the mixture.
        better = int(first[mdp.pair_states[worse[0]]])
        gain = -float(advantages[worse[0]]) * float(policy[worse[0]])
        return _membership(mdp, "outside", pair=better, advantage=gain, error=0.0)
    status = "boundary" if advantages[pair] == 0 else "inside"
    return _membership(mdp, status, pair=pair, advantage=float(advantages[pair]), error=0.0)


def _membership(mdp: MDP, status: str, *, pair: int, advantage: float, error: float) -> ConeMembership:
    if advantage == -np.inf:
        pair = -1
    state = int(mdp.pair_states[pair]) if pair >= 0 else -1
    action = int(mdp.actions[pair]) if pair >= 0 else -1
    return ConeMembership(status, pair, state, action, advantage, error)
