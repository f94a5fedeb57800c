"""The inverse Bellman map Q -> R of Proposition 2.9: the reward that has given optimal Q-values.

R_Q(s, a) = Q(s, a) - gamma sum_s' P(s' | s, a) max_a' Q(s', a'). Q is a fixed point of the Bellman operator of R_Q by
construction, and the fixed point is unique where gamma < 1 or the MDP is acyclic: so Q is the optimal Q-function of
R_Q, and R_Q is the only reward for which it is. Terminal states have value 0 whatever happens, so Q is 0 there.

The map is (1 + gamma)-Lipschitz in the sup norm, so every Q near Q* comes from a reward near R. Cost: O(nonzeros).
"""

from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, check_shape, fail, first_true
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64

UNIT_ROUNDOFF = 2.0**-53


def inverse_bellman(mdp: MDP, q_values: Any) -> Float64[np.ndarray, " pairs"]:
    """The one reward whose optimal Q-values are the given ones: R_Q = Q - gamma P max_a' Q (Prop 2.9).

    Args:
        mdp: the MDP; its own rewards do not matter.
        q_values: (pairs,) finite, in units of reward; 0 at terminal states.

    Returns:
        (pairs,) rewards, read-only, to be passed to `mdp.with_rewards`; 0 at terminal states. Their rounding error is
        at most `inverse_bellman_error`, and the optimal Q-values of what is returned are off by at most that times
        the horizon, 1 / (1 - gamma).

    Raises:
        InvalidInputError: wrong shape, a number that is not finite, or a Q-value other than 0 at a terminal state.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, inverse_bellman, solve
        >>> mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.5)
        >>> inverse_bellman(mdp, [2.0, 2.0])
        array([1., 1.])
    """
    check_mdp(mdp)
    q = _checked(mdp, q_values)
    return frozen(q - mdp.gamma * (mdp.transitions @ np.maximum.reduceat(q, mdp.offsets[:-1])))


def inverse_bellman_error(mdp: MDP, q_values: Any) -> float:
    """Bound on the rounding error of `inverse_bellman`, in the sup norm over pairs.

    A row of n probabilities, the product with gamma and the difference err by at most (n + 4) u (|Q| + gamma P |V|).

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP
        >>> mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.5)
        >>> inverse_bellman_error(mdp, [2.0, 2.0]) < 1e-14
        True
    """
    q = _checked(mdp, q_values)
    values = np.abs(np.maximum.reduceat(q, mdp.offsets[:-1]))
    longest = float(np.diff(mdp.indptr).max())
    sizes = np.abs(q) + mdp.gamma * (mdp.transitions @ values)
    return float((longest + 5.0) * UNIT_ROUNDOFF * sizes.max()) + 1e-300


def _checked(mdp: MDP, q_values: Any) -> Float64[np.ndarray, " pairs"]:
    """Q-values over pairs, finite and 0 at terminal states."""
    q = as_float_vector("q_values", q_values)
    check_shape("q_values", q, (mdp.n_pairs,), meaning="one value a pair")
    check_finite("q_values", q)
    stuck = first_true(mdp.terminal[mdp.pair_states] & (q != 0.0))
    if stuck >= 0:
        raise fail(
            got=f"Q-value {q[stuck]} at terminal {mdp.state_name(int(mdp.pair_states[stuck]))}",
            expected="0 (terminal states are absorbing with reward 0)",
            remedy="Put the value on the pairs that enter the state.",
        )
    return q
