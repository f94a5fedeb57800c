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
from policycliff.values.backward_kernels import backward_pass
from policycliff.values.certificate_kernels import soft_slack
from policycliff.values.certificates import Certificate
from policycliff.values.iteration import Outcome
from policycliff.values.operator import Backup, BellmanOperator
from policycliff.values.solution import CONVERGED, ROUNDING_FLOOR


def backward(operator: BellmanOperator, tolerance: float, _limit: int) -> Outcome:
    """Solve in one pass.

    Raises:
        InvalidInputError: the MDP has a cycle and gamma is not 0.
    """
    mdp = operator.mdp
    order = mdp.order
    if order is None:
        if mdp.gamma != 0.0:
            raise fail(
                got="method 'backward' for an MDP with a cycle",
                expected="an acyclic MDP, or gamma = 0",
                remedy="Use method='auto', or mark absorbing end states with `terminal`.",
            )
        order = frozen(np.arange(mdp.n_states))
    q, v = np.empty(mdp.n_pairs), np.zeros(mdp.n_states)
    bound = backward_pass(
        order,
        mdp.offsets,
        mdp.indptr,
        mdp.successors,
        mdp.probabilities,
        mdp.rewards,
        mdp.gamma,
        operator.base,
        operator.temperature,
        soft_slack(operator.constants),
        q,
        v,
    )
    backup = Backup(v=v, q=q, values=v, kept=None, low=0.0, high=0.0)
    status = CONVERGED if bound <= tolerance else ROUNDING_FLOOR
    return Outcome(backup, Certificate(shift=0.0, bound=bound, floor=bound), 1, status)
