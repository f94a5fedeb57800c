"""Values of one given policy, with a proven error bound.

A policy makes the MDP a chain, which is an MDP with one action a state: `solve` evaluates and certifies it. Averaging
the rows of a state rounds; what that can do to the values is added to the bound (nothing, for deterministic policies).

Cost: as `solve` on an MDP with S pairs.
"""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.chain import stochastic_chain
from policycliff.values.operator import UNIT_ROUNDOFF, amplification
from policycliff.values.solve import solve, tight_tolerance


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Values and Q-values of one policy under one reward; the errors of both are at most `error_bound`."""

    values: Float64[np.ndarray, " states"]
    q_values: Float64[np.ndarray, " pairs"]
    error_bound: float

    def advantages(self, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) Q^pi - V^pi; each is off by at most 2 error_bound."""
        return np.asarray(self.q_values - self.values[mdp.pair_states])


def evaluate(
    mdp: MDP,
    policy: Float64[np.ndarray, " pairs"],
    *,
    rewards: Float64[np.ndarray, " pairs"] | None = None,
    tolerance: float | None = None,
) -> Evaluation:
    """V^pi and Q^pi of a policy over pairs, under these rewards over pairs (by default the MDP's own).

    `rewards` may hold anything at terminal states; it counts as 0 there.
    """
    given = mdp.rewards if rewards is None else rewards
    reward = np.where(mdp.terminal[mdp.pair_states], 0.0, given)
    chain = as_chain(mdp, policy, reward)
    solution = solve(chain, tolerance=tight_tolerance(reward) if tolerance is None else tolerance)
    size = float(np.abs(reward).max()) + mdp.gamma * float(np.abs(solution.values).max())
    averaging = 0.0 if bool(np.isin(policy, (0.0, 1.0)).all()) else _averaging_error(mdp) * size
    # The backup below rounds once more, as one sweep does.
    backup = (float(np.diff(mdp.indptr).max()) + 4.0) * UNIT_ROUNDOFF * size
    q = reward + mdp.gamma * (mdp.transitions @ solution.values)
    bound = solution.error_bound + averaging + (backup if solution.error_bound + averaging > 0.0 else 0.0)
    if bound == 0.0 and not _is_exact(mdp, reward, solution.values, q):
        bound = backup
    return Evaluation(values=solution.values, q_values=frozen(q), error_bound=bound)


def as_chain(mdp: MDP, policy: Float64[np.ndarray, " pairs"], rewards: Float64[np.ndarray, " pairs"]) -> MDP:
    """The MDP whose only action in each state is what the policy does."""
    chain = stochastic_chain(mdp, policy, rewards)
    widest = float(np.diff(mdp.offsets).max())
    return replace(
        mdp,
        offsets=frozen(np.arange(mdp.n_states + 1)),
        actions=frozen(np.zeros(mdp.n_states, np.int32)),
        indptr=frozen(chain.indptr),
        successors=frozen(chain.successors),
        probabilities=frozen(chain.probabilities),
        rewards=frozen(chain.rewards),
        action_names=None,
        row_sum_error=mdp.row_sum_error + (widest + 2.0) * UNIT_ROUNDOFF,
    )


def _averaging_error(mdp: MDP) -> float:
    """What the rounding of averaged rows and rewards does to the values, for values and rewards of size 1."""
    widest = float(np.diff(mdp.offsets).max())
    return (widest + 3.0) * UNIT_ROUNDOFF * amplification(mdp)


def _is_exact(
    mdp: MDP,
    rewards: Float64[np.ndarray, " pairs"],
    values: Float64[np.ndarray, " states"],
    q: Float64[np.ndarray, " pairs"],
) -> bool:
    """Whether no Q-value was rounded: all rows certain, and the sum and the product undo themselves."""
    if not (np.diff(mdp.indptr) <= 1).all() or not (mdp.probabilities == 1.0).all() or mdp.gamma not in {0.0, 0.5, 1.0}:
        return False
    ahead = mdp.gamma * (mdp.transitions @ values)
    return bool((q - rewards == ahead).all() and (q - ahead == rewards).all())
