"""The derivative of the soft policy in the reward, by implicit differentiation, a state at a time (Result 4).

With pi the soft optimum at temperature alpha, M = (I - gamma P_pi)^-1 and Pi the average over actions under pi, the
soft Bellman equation gives dQ = D + gamma P M Pi D for a change D of the reward, and

    d pi(a|s) = pi(a|s) / alpha * (dQ(s, a) - sum_b pi(b|s) dQ(s, b)).

So all that is needed at a state are the rows (P(s, a, .) - P_pi(s, .)) M, one solve with the transposed chain for each
action; they sum to 0 and are found as fast as the chain mixes. The dense pairs x pairs Jacobian is never formed: the
column of a pair (s', a') at another state is pi(a'|s') times one number of s', so a state's block is kept as
actions x (states + actions) numbers.

Cost: one factorisation (up to a few thousand states) or a row of sweeps, then actions solves a state.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64
from policycliff.values.chain import stochastic_chain
from policycliff.values.left_solve import RELATIVE_ERROR, LeftSolver, make_left_solver

SINGLE_LIMIT = 200
"""States up to which a factorisation is worth while for one solve."""


@dataclass(frozen=True, slots=True)
class StateRows:
    """The derivative of Q at one state, centred under the policy.

    Attributes:
        state: the state.
        policy: (actions,) probabilities there.
        later: (actions, states) gamma (P(s, a, .) - P_pi(s, .)) M.
        error: (actions,) bound on the L1 error of each row of `later`.
    """

    state: int
    policy: Float64[np.ndarray, " actions"]
    later: Float64[np.ndarray, "actions states"]
    error: Float64[np.ndarray, " actions"]

    def weighted(
        self, own_widths: Float64[np.ndarray, " actions"], mean_widths: Float64[np.ndarray, " states"]
    ) -> Float64[np.ndarray, "actions columns"]:
        """(actions, states + actions) rows whose combinations have the 1-norm of the same combinations of dQ.

        1-norms are weighted by half-widths: columns of another state are merged (they have one sign), those of the
        state itself stand behind.
        """
        others = self.later * mean_widths
        others[:, self.state] = 0.0
        return np.hstack([others, self.own() * own_widths])

    def own(self) -> Float64[np.ndarray, "actions actions"]:
        """(actions, actions) derivative of the centred Q at the state in the rewards of the state itself."""
        ahead = self.later[:, [self.state]] * self.policy
        return np.asarray(np.eye(self.policy.size) - self.policy + ahead)


@dataclass(frozen=True, slots=True)
class SoftMap:
    """The soft policy of an MDP with what is needed to differentiate it."""

    mdp: MDP
    policy: Float64[np.ndarray, " pairs"]
    temperature: float
    solver: LeftSolver

    def rows(self, state: int) -> StateRows:
        """The rows of one state."""
        first, last = int(self.mdp.offsets[state]), int(self.mdp.offsets[state + 1])
        policy = self.policy[first:last]
        kernel = self.mdp.transitions[first:last].toarray()
        centred = kernel - policy @ kernel
        later, error = np.empty_like(centred), np.empty(policy.size)
        for action, row in enumerate(centred):
            later[action], left = self.solver.solve(row)
            error[action] = left * self.solver.amplification + RELATIVE_ERROR * float(np.abs(later[action]).sum())
        return StateRows(state, policy, self.mdp.gamma * later, self.mdp.gamma * error)

    def mean_widths(self, half_widths: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " states"]:
        """(states,) half-widths averaged under the policy."""
        return np.add.reduceat(self.policy * half_widths, self.mdp.offsets[:-1])

    def gradient(self, state: int, members: Bool[np.ndarray, " actions"]) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) gradient of the probability of a set of actions of one state in the reward: one solve."""
        first, last = int(self.mdp.offsets[state]), int(self.mdp.offsets[state + 1])
        policy = self.policy[first:last]
        weights = policy * (members - float(policy[members].sum()))
        row, _ = self.solver.solve(weights @ self.mdp.transitions[first:last].toarray())
        result = self.mdp.gamma * row[self.mdp.pair_states] * self.policy
        result[first:last] += weights
        return np.asarray(result / self.temperature)

    def lift(self, state: int) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) derivative of Q of the second likeliest action of a state minus Q of the likeliest one.

        Unlike the gradient of a probability it does not vanish where the policy is cold.
        """
        first, last = int(self.mdp.offsets[state]), int(self.mdp.offsets[state + 1])
        second, top = (first + np.argsort(self.policy[first:last], kind="stable")[-2:]).tolist()
        kernel = self.mdp.transitions
        row, _ = self.solver.solve((kernel[[second]] - kernel[[top]]).toarray()[0])
        result = self.mdp.gamma * row[self.mdp.pair_states] * self.policy
        result[second] += 1.0
        result[top] -= 1.0
        return np.asarray(result)


def make_soft_map(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"], temperature: float, *, once: bool = False
) -> SoftMap:
    """Factorise the chain of a soft policy, or leave it to sweeps where it is large; `once`: for a single solve."""
    chain = stochastic_chain(mdp, policy, mdp.rewards)
    solver = make_left_solver(mdp, chain, limit=SINGLE_LIMIT if once else None)
    return SoftMap(mdp=mdp, policy=policy, temperature=temperature, solver=solver)
