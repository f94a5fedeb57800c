"""Selection rules A* -> pi: what a policy does with a set of optimal actions.

Any deterministic selection jumps at a tie (Prop 2.9), the uniform one by (m - 1) / m (Prop 2.10); the soft policy
is Lipschitz in the reward (Prop 4.7). A policy is a vector over pairs that sums to 1 in each state. Cost: O(pairs).
"""

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, check_kind, check_shape
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64
from policycliff.values.backup_kernels import greedy_weights, soft_weights
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import Solution


def uniform_policy(source: OptimalActions | MDP) -> Float64[np.ndarray, " pairs"]:
    """Equal probability for every optimal action (Prop 2.10), or, given an MDP, for every action.

    Returns:
        (pairs,) probabilities, read-only.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, optimal_actions, solve, uniform_policy
        >>> mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
        >>> uniform_policy(optimal_actions(solve(mdp)))
        array([0.5, 0.5, 0. ])
    """
    check_kind("source", source, (OptimalActions, MDP), made_by="optimal_actions(solve(mdp))")
    if isinstance(source, MDP):
        sizes = np.diff(source.offsets)
        return frozen(np.repeat(1.0 / sizes, sizes))
    sizes = np.diff(source.mdp.offsets)
    return frozen(source.members / np.repeat(source.counts, sizes))


def greedy_policy(source: OptimalActions | Solution) -> Float64[np.ndarray, " pairs"]:
    """Probability 1 for one optimal action: the first of the set, or the first maximiser of a solution's Q-values.

    Between tied actions this is an arbitrary choice (Prop 2.9 says that none is continuous).

    Returns:
        (pairs,) probabilities, read-only.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, greedy_policy, optimal_actions, solve
        >>> mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[0.0, 1.0, 1.0]], 0.0)
        >>> greedy_policy(optimal_actions(solve(mdp)))
        array([0., 1., 0.])
    """
    check_kind("source", source, (OptimalActions, Solution), made_by="optimal_actions(solve(mdp))")
    scores = source.q_values if isinstance(source, Solution) else frozen(source.members.astype(np.float64))
    policy = np.empty(source.mdp.n_pairs)
    greedy_weights(source.mdp.offsets, scores, policy)
    return frozen(policy)


def soft_policy(
    mdp: MDP, q_values: Float64[np.ndarray, " pairs"], *, regularizer: Regularizer
) -> Float64[np.ndarray, " pairs"]:
    """pi(a|s) proportional to base(a|s) exp(Q(s, a) / temperature) (Prop 4.7; section 3.4 for KL).

    The optimum of the regularised problem is `solve(mdp, regularizer=...).policy`, whose Q-values contain the
    regularizer of later steps; this is the soft choice for any Q.

    Args:
        mdp: the MDP whose pairs the vector is over.
        q_values: (pairs,) finite.
        regularizer: `Entropy` or `KL`; temperatures from 1e-6 to 1e6 are fine.

    Returns:
        (pairs,) probabilities, read-only.

    Raises:
        InvalidInputError: wrong shape or a number that is not finite.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, Entropy, soft_policy
        >>> mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> soft_policy(mdp, np.array([0.0, np.log(3.0)]), regularizer=Entropy(1.0)).round(6)
        array([0.25, 0.75])
    """
    check_mdp(mdp)
    scores = as_float_vector("q_values", q_values)
    check_shape("q_values", scores, (mdp.n_pairs,), meaning="one value a pair")
    check_finite("q_values", scores)
    policy = np.empty(mdp.n_pairs)
    soft_weights(mdp.offsets, frozen(scores), regularizer.base(mdp), float(regularizer.temperature), policy)
    return frozen(policy)
