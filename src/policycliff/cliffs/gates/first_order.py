"""The derivative of the soft policy in the tuple through the gate, from the sup norm to total variation.

d pi / d R = (d pi / d R_eff)(d R_eff / d R). At a state the modulus is the largest 1-norm of a summed subset of rows,
as without a gate (`cliffs/soft/local`); the rows are pulled back through the gate before. With parameters that move
too, the 1-norm is weighted by the two sizes. Exact up to 12 actions, beyond it the lower end of a bracket; where the
largest reward of a state is shared, statistic "max" has several derivatives and the first is taken.

Cost: actions x (K pairs) numbers for each state; left out (NaN) where that is too many.
"""

import numpy as np

from policycliff.cliffs.gates.search import Ball
from policycliff.cliffs.soft.jacobian import SoftMap
from policycliff.cliffs.soft.local import rows_of
from policycliff.cliffs.soft.partition import largest_subset
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.rewards.gates.growth import logit_range, margin, pull_back
from policycliff.shapes import Float64, Int64

ENTRY_LIMIT = 1e6


def first_order_shifts(
    ball: Ball, problem: SoftProblem, soft_map: SoftMap, states: Int64[np.ndarray, " chosen"]
) -> Float64[np.ndarray, " chosen"]:
    """(chosen,) the largest first-order shift in the ball; NaN where it was not computed or a hard gate is tied."""
    sizes = np.diff(problem.mdp.offsets)
    result = np.where(sizes > 1, np.nan, 0.0)
    entries = float(sizes[states].sum()) * ball.gated.components.size
    if entries > ENTRY_LIMIT or _at_a_jump(ball):
        return result[states]
    for block in rows_of(soft_map, states):
        rows = block.later[:, problem.mdp.pair_states] * soft_map.policy
        rows[:, problem.mdp.pair_states == block.state] = block.own()
        pulled = [_pulled(ball, problem, row) for row in block.policy[:, None] * rows]
        result[block.state] = largest_subset(np.stack(pulled)).low / soft_map.temperature
    return result[states]


def _pulled(ball: Ball, problem: SoftProblem, row: Float64[np.ndarray, " kept"]) -> Float64[np.ndarray, " entries"]:
    """A gradient in the effective reward as one in components and parameters, each times how far they move."""
    gradient = pull_back(ball.gated, problem.restriction.widen(row))
    parts = [ball.epsilon * gradient.rewards.ravel()]
    if gradient.parameters is not None:
        parts.append(ball.parameter_epsilon * gradient.parameters.ravel())
    return np.concatenate(parts)


def _at_a_jump(ball: Ball) -> bool:
    if ball.gated.gate.temperature > 0.0:
        return False
    can_turn = logit_range(ball.gated, ball.epsilon, ball.parameter_epsilon) > 0.0
    return bool(((margin(ball.gated) == 0.0) & can_turn).any())
