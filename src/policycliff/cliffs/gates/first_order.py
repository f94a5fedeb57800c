"""The derivative of the soft policy in the tuple, through the gate: by the chain rule, from sup norm to total variation.

d pi / d R = (d pi / d R_eff)(d R_eff / d R). At a state the modulus is the largest 1-norm of a summed subset of rows, as
without a gate (`cliffs/soft/local`); the rows are pulled back through the gate before. With parameters that move too,
the 1-norm is weighted by the two sizes. Exact up to 12 actions, beyond it the lower end of a bracket; where the largest
reward of a state is shared, statistic "max" has several derivatives and the first is taken.

Cost: actions x (K pairs) numbers for each state; left out (NaN) where that is too many.
"""

import numpy as np
from jaxtyping import Float64, Int64

from policycliff.cliffs.soft.jacobian import SoftMap
from policycliff.cliffs.soft.local import rows_of
from policycliff.cliffs.soft.partition import largest_subset
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.rewards.gates.gated import GatedReward
from policycliff.rewards.gates.growth import logit_range, margin, pull_back

ENTRY_LIMIT = 1e6


def first_order_shifts(
    gated: GatedReward,
    problem: SoftProblem,
    soft_map: SoftMap,
    *,
    states: Int64[np.ndarray, " chosen"],
    epsilon: float,
    parameter_epsilon: float,
) -> Float64[np.ndarray, " states"]:
    """(states,) the largest first-order shift in the ball; NaN where it was not computed or a hard gate is tied."""
    sizes = np.diff(problem.mdp.offsets)
    result = np.where(sizes > 1, np.nan, 0.0)
    entries = float(sizes[states].sum()) * gated.components.size
    if entries > ENTRY_LIMIT or _at_a_jump(gated, epsilon, parameter_epsilon):
        return result
    for block in rows_of(soft_map, states):
        rows = block.later[:, problem.mdp.pair_states] * soft_map.policy
        own = slice(int(problem.mdp.offsets[block.state]), int(problem.mdp.offsets[block.state + 1]))
        rows[:, own] = block.own()
        pulled = []
        for row in block.policy[:, None] * rows:
            gradient = pull_back(gated, problem.restriction.widen(row))
            parts = [epsilon * gradient.rewards.ravel()]
            if gradient.parameters is not None:
                parts.append(parameter_epsilon * gradient.parameters.ravel())
            pulled.append(np.concatenate(parts))
        result[block.state] = largest_subset(np.stack(pulled)).low / soft_map.temperature
    return result


def _at_a_jump(gated: GatedReward, epsilon: float, parameter_epsilon: float) -> bool:
    if gated.gate.temperature > 0.0:
        return False
    return bool(((margin(gated) == 0.0) & (logit_range(gated, epsilon, parameter_epsilon) > 0.0)).any())
