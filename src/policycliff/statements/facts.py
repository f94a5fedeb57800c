"""What several checks need of an instance: certified optimal sets, hypotheses, random changes of rewards."""

import numpy as np

from policycliff.actions.kernels import TIED, UNIQUE, UNRESOLVED
from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64
from policycliff.statements.statement import Hypothesis
from policycliff.values.exact import EXACT_LIMIT
from policycliff.values.solve import solve


def optimal_sets(mdp: MDP) -> OptimalActions:
    """A*(s; R), in rational arithmetic where the MDP is small enough."""
    return optimal_actions(solve(mdp, tolerance=1e-12), exact=mdp.n_states <= EXACT_LIMIT)


def discounted(mdp: MDP) -> Hypothesis:
    """The paper's assumption on the discount."""
    return Hypothesis("gamma < 1", mdp.gamma < 1.0)


def unique_everywhere(actions: OptimalActions) -> Hypothesis:
    """Whether the optimal action is unique in every state."""
    holds = None if (actions.codes == UNRESOLVED).any() else bool((actions.codes == UNIQUE).all())
    return Hypothesis("the optimal action is unique in every state", False if (actions.codes == TIED).any() else holds)


def tied_somewhere(actions: OptimalActions) -> Hypothesis:
    """Whether some state has two or more optimal actions."""
    tied = bool((actions.codes == TIED).any())
    unresolved = bool((actions.codes == UNRESOLVED).any())
    return Hypothesis("some state has two or more optimal actions", True if tied else None if unresolved else False)


def tied_state(actions: OptimalActions) -> int:
    """The first state with a proven tie."""
    return int(np.argmax(actions.codes == TIED))


def convex_weights(weights: Float64[np.ndarray, "components states"]) -> Hypothesis:
    """The paper's assumption on the weights of a tuple of rewards."""
    convex = bool((weights >= 0.0).all() and np.abs(weights.sum(axis=0) - 1.0).max() <= 1e-9)
    return Hypothesis("weights are at least 0 and sum to 1 in each state", convex)


def moving_pairs(mdp: MDP) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) 1 where a reward may change, 0 at terminal states."""
    return (~mdp.terminal[mdp.pair_states]).astype(np.float64)


def random_change(mdp: MDP, size: float, rng: np.random.Generator) -> Float64[np.ndarray, " pairs"]:
    """A change of the rewards of sup norm at most `size`: half the time a random corner of the ball."""
    draw = rng.choice([-1.0, 1.0], mdp.n_pairs) if rng.random() < 0.5 else rng.uniform(-1.0, 1.0, mdp.n_pairs)
    return np.asarray(size * draw * moving_pairs(mdp))


def adverse_change(mdp: MDP, members: Bool[np.ndarray, " pairs"], size: float) -> Float64[np.ndarray, " pairs"]:
    """The corner of the ball that favours all actions outside the given sets: where nothing comes after, the worst."""
    return np.asarray(size * np.where(members, -1.0, 1.0) * moving_pairs(mdp))


def reward_scale(mdp: MDP) -> float:
    """Largest absolute reward, 1 where all are 0."""
    return float(np.abs(mdp.rewards).max()) or 1.0
