"""One backward pass: the exact method for acyclic MDPs, at any discount up to 1, and for gamma = 0.

States are taken with successors first, so each Q-value is computed once from final values. The error of Q at a pair is
at most gamma times the probability-weighted error of its successors plus the rounding of its own few operations; the
maximum of Q-values errs by no more than they do. The pass carries this recursion along. Rounding of the product with
gamma and of the sum with R is measured, not estimated (error-free transformations), and a row with a single successor
of probability 1 needs no other operation: on a deterministic tree whose returns are exact in double precision, such as
rewards 0 and 1 at gamma = 1, the bound is exactly 0, and then equal Q-values are proven ties.

Cost: O(nonzeros). Sources: Knuth, TAOCP 4.2.2; Dekker (1971).
"""

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.values.backup_kernels import soft_weights
from policycliff.values.backward_kernels import backward_pass
from policycliff.values.certificate_kernels import soft_slack
from policycliff.values.operator import make_constants
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import CONVERGED, ROUNDING_FLOOR, Solution


def solve_backward(mdp: MDP, regularizer: Regularizer | None, *, tolerance: float) -> Solution:
    """Solve in one pass.

    Raises:
        InvalidInputError: the MDP has a cycle and gamma is not 0.
    """
    order = mdp.order
    if order is None:
        if mdp.gamma != 0.0:
            raise fail(
                got="method 'backward' for an MDP with a cycle",
                expected="an acyclic MDP, or gamma = 0",
                remedy="Use method='auto', or mark absorbing end states with `terminal`.",
            )
        order = frozen(np.arange(mdp.n_states))
    base, temperature, slack = frozen(np.ones(1)), 0.0, 0.0
    if regularizer is not None:
        base, temperature = regularizer.base(mdp), float(regularizer.temperature)
        slack = float(soft_slack(make_constants(mdp, regularizer, base)))
    q, values, policy = np.empty(mdp.n_pairs), np.zeros(mdp.n_states), np.zeros(mdp.n_pairs)
    kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma)
    bound = float(backward_pass(order, *kernel, base, temperature, slack, q, values, policy))
    if regularizer is not None:
        soft_weights(mdp.offsets, q, base, temperature, policy)
    return Solution(
        mdp=mdp,
        values=frozen(values),
        q_values=frozen(q),
        policy=frozen(policy),
        error_bound=bound,
        tolerance=tolerance,
        iterations=1,
        method="backward",
        status=CONVERGED if bound <= tolerance else ROUNDING_FLOOR,
        regularizer=regularizer,
    )
