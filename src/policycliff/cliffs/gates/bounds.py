"""How far the optimum moves through a gate: bounds for reward, Q-values and soft policy, and measured worst cases.

Theory. If the components of a tuple move by at most e, the effective reward of the pair (s, a) moves by at most
u(s, a) = e + D(s, a) TV(s), TV(s) the bound on the shift of the weights (`rewards/gates/growth`). All that is proven
for balls of rewards with half-widths then holds with the half-widths u:

    Q-values   sup |Q*' - Q*| <= max H, H the optimal Q-values of the reward u: at most (1 + gate's extra term) e / (1 -
               gamma), Prop 2.4 through the gate; attained by gates of two actions;
    policy     TV <= max H / (2 alpha) (Prop 4.7), its hyperbolic tangent, the mixing and certified bounds (Result 4).

A gate with a positive temperature thus leaves the map continuous; the price is its extra term, which grows as 1 / T. A
hard gate that reads rewards has no constant: at a tie of its logits reward and soft policy jump (`gate_jump`); away
from ties its bound is that of fixed weights until another logit can overtake.

Cost: that of `soft_policy_bounds`, and the searches: a few solves a start.

Sources: paper, Prop 2.4, Lemma 4.2, Prop 4.7; section 4.6 leaves such weights open.
"""

from typing import Any

import numpy as np

from policycliff.cliffs.gates.first_order import first_order_shifts
from policycliff.cliffs.gates.result import GateBounds
from policycliff.cliffs.gates.search import (
    Ball,
    MeasuredPolicy,
    PolicySearch,
    largest_q_shift,
    largest_reward_shift,
)
from policycliff.cliffs.soft.bounds import bounds_of, check_seed, check_starts, check_states, default_states
from policycliff.cliffs.soft.problem import SoftProblem, check_epsilon, make_problem
from policycliff.cliffs.soft.result import SoftPolicyBounds
from policycliff.cliffs.soft.search import soft_map_of
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, check_kind, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.rewards.gates.gate import Gate, check_size
from policycliff.rewards.gates.gated import GatedReward, gated_reward
from policycliff.rewards.gates.growth import growth, local_growth, parameter_growth, reward_shift, weight_shift
from policycliff.shapes import Float64
from policycliff.values.horizon import reward_horizon
from policycliff.values.operator import amplification
from policycliff.values.regularizers import Entropy
from policycliff.values.solution import Solution


def gate_bounds(
    mdp: MDP,
    rewards: Any,
    gate: Gate,
    epsilon: float,
    temperature: float,
    *,
    parameter_epsilon: float = 0.0,
    reference_policy: Any = None,
    states: Any = None,
    starts: int = 4,
    seed: int = 0,
) -> GateBounds:
    """Bounds on the effective reward, Q* and the soft policy for all tuples within epsilon, through a gate (sec. 4.6).

    Args:
        mdp: the MDP; its own rewards do not matter.
        rewards: K components, (K, pairs) or (K, S, A).
        gate: from `softmax_gate` or `reward_gate`.
        epsilon: how far each component may be off in any entry, at least 0, in units of reward.
        temperature: alpha of the entropy, or beta of the KL term with `reference_policy`; positive. Not the gate's.
        parameter_epsilon: how far each parameter of a `softmax_gate` may be off, at least 0.
        reference_policy: (pairs,) probabilities that sum to 1 in each state.
        states: states whose policy is looked at; by default all, or in large MDPs those visited most.
        starts: how many pairs and states the searches climb from; 0 for none.
        seed: of the random starts.

    Returns:
        A `GateBounds`. Fields marked "theorem" there are proven; `measured` ones are lower bounds on the worst case.

    Raises:
        InvalidInputError: an argument is out of range, or tuple, gate and MDP do not fit.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, gate_bounds, reward_gate
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> gate = reward_gate(1.0, statistic="max", temperature=0.5)
        >>> found = gate_bounds(bandit, [[1.0, 3.0], [0.0, 3.0]], gate, 0.1, 1.0)
        >>> found.growth, round(found.worst("certified"), 3) >= round(found.worst("measured"), 3)
        (2.0, True)
    """
    check_mdp(mdp)
    size, shift = check_epsilon(epsilon), _check_parameter_epsilon(parameter_epsilon, gate)
    check_size("epsilon", np.array(size))
    climbs, wanted = check_starts(starts), check_states(states, mdp)
    check_seed(seed)
    Entropy(temperature)  # refuses a bad temperature before any work
    ball = Ball(gated_reward(mdp, rewards, gate), size, shift)
    widths = reward_shift(ball.gated, size, shift)
    problem = make_problem(ball.gated.mdp, reference_policy=reference_policy, mask=None, half_widths=widths)
    solution = problem.solve(temperature)
    chosen = default_states(problem, solution) if wanted is None else wanted
    soft = bounds_of(problem, solution, epsilon=1.0, states=chosen, starts=0, seed=seed)
    by_state = np.zeros(mdp.n_states)
    by_state[chosen] = soft.certified
    measured = PolicySearch(ball, problem, solution).run(by_state, climbs, seed)
    return _result(ball, problem, solution, soft=soft, measured=measured, climbs=climbs)


def _result(
    ball: Ball,
    problem: SoftProblem,
    solution: Solution,
    *,
    soft: SoftPolicyBounds,
    measured: MeasuredPolicy,
    climbs: int,
) -> GateBounds:
    """The public result, with what is measured of reward and Q-values."""
    gated, sizes, still = (
        ball.gated,
        (ball.epsilon, ball.parameter_epsilon),
        ball.epsilon + ball.parameter_epsilon == 0.0,
    )
    widths = reward_shift(gated, *sizes)
    horizon = _horizon(problem, gated, widths)
    drift = np.tanh(gated.rounding * amplification(gated.mdp) / (2.0 * soft.temperature))
    move = measured.move
    return GateBounds(
        gated=gated,
        epsilon=ball.epsilon,
        parameter_epsilon=ball.parameter_epsilon,
        temperature=soft.temperature,
        growth=float(growth(gated).max()),
        parameter_growth=float(parameter_growth(gated).max()),
        weight_shift=frozen(weight_shift(gated, *sizes)),
        reward_shift=frozen(widths),
        reward_first_order=frozen(local_growth(gated, *sizes)),
        reward_measured=0.0 if still else largest_reward_shift(ball, widths, climbs),
        q_bound=float(horizon.max()),
        q_measured=0.0 if still else largest_q_shift(ball, horizon, (climbs + 1) // 2),
        paper_form=_paper_form(ball, soft.temperature),
        states=soft.states,
        linear=soft.linear,
        sharp=soft.sharp,
        mixing=soft.mixing,
        certified=frozen(np.minimum(soft.mixing, soft.certified + drift)),
        first_order=frozen(first_order_shifts(ball, problem, soft_map_of(problem, solution), soft.states)),
        measured=frozen(measured.shift[soft.states]),
        change=frozen(move.rewards),
        parameter_change=None if move.parameters is None else frozen(move.parameters),
        policy=soft.policy,
        solves=measured.solves,
    )


def _horizon(problem: SoftProblem, gated: GatedReward, widths: Float64[np.ndarray, " pairs"]) -> np.ndarray:
    """(pairs,) how far optimal Q-values move; over all actions, also those that a reference excludes."""
    if not widths.any():
        return np.zeros(gated.mdp.n_pairs)
    return problem.horizon if problem.mdp.n_pairs == gated.mdp.n_pairs else reward_horizon(gated.mdp, widths)


def _paper_form(ball: Ball, temperature: float) -> float:
    """Prop 4.7 with the constants of the gate."""
    moved = np.zeros(ball.gated.mdp.n_pairs)
    for size, constant in ((ball.epsilon, growth), (ball.parameter_epsilon, parameter_growth)):
        moved = moved + (size * constant(ball.gated) if size > 0.0 else 0.0)
    slack = 1.0 - ball.gated.mdp.gamma
    if float(moved.max()) == 0.0:
        return 0.0
    return float(moved.max()) / (2.0 * temperature * slack) if slack > 0.0 else np.inf


def _check_parameter_epsilon(size: float, gate: Gate) -> float:
    value = as_number("parameter_epsilon", size)
    check_kind("gate", gate, Gate, made_by="softmax_gate or reward_gate")
    if not 0.0 <= value < np.inf:
        raise fail(
            got=f"parameter_epsilon = {size!r}", expected="a finite number of at least 0", remedy="Pass how far off."
        )
    check_size("parameter_epsilon", np.array(value))
    if value > 0.0 and gate.parameters is None:
        raise fail(
            got=f"parameter_epsilon = {value:g} for a gate without parameters",
            expected="a `softmax_gate`, or 0",
            remedy="Only the parameters of a gate over features can move.",
        )
    return value
