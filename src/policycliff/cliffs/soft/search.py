"""A measured worst case: which reward in the ball moves the soft policy most, found by search (a lower bound).

The shift at a state is pi_{R + D}(B) - pi_R(B) for the set B of actions that gain. Given B and D, the gradient of
pi_{R + D}(B) in D is one solve; the vertex of the ball with its signs is tried next, and so on while the shift grows. A
climb starts from the worst direction to first order (the Jacobian's subset), from the one that lifts the second action
and from random vertices. Every shift that is reported belongs to a perturbation in the ball and a solve of the
perturbed MDP, less the solver's error: the true worst case is at least that, and how much more is not known.

Cost: a few solves a climb.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.soft.jacobian import SoftMap, make_soft_map
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.policies.distances import state_shifts
from policycliff.shapes import Bool, Float64
from policycliff.values.solution import Solution

STEPS = 12

Direction = Float64[np.ndarray, " pairs"]
Witnesses = dict[int, tuple[float, Bool[np.ndarray, " actions"]]]
"""For states with a choice: the local modulus and the actions that gain in the worst direction."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The largest shifts found.

    Attributes:
        shift: (states,) largest total variation in each state, each less the solver's error.
        mean: largest occupancy-weighted mean of the total variation, NaN without weights.
        change: (pairs,) the perturbation with the largest total variation in any state.
        solves: perturbed MDPs that were solved.
    """

    shift: Float64[np.ndarray, " states"]
    mean: float
    change: Float64[np.ndarray, " pairs"]
    solves: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A perturbation, the soft policy after it and a lower bound on how far that moved in each state."""

    change: Direction
    policy: Float64[np.ndarray, " pairs"]
    shifts: Float64[np.ndarray, " states"]


def worst_case(
    problem: SoftProblem,
    solution: Solution,
    *,
    epsilon: float,
    witnesses: Witnesses,
    weights: Float64[np.ndarray, " states"] | None,
    starts: int,
    seed: int,
) -> Measured:
    """Climb from the worst first-order directions of the states with the largest modulus, and from random vertices.

    Args:
        problem: the MDP and the ball.
        solution: its soft optimum.
        epsilon: radius of the ball.
        witnesses: for each state with a choice its local modulus and the set of actions that attains it.
        weights: (states,) occupancy for the mean, or None.
        starts: how many states are climbed from; random vertices are half as many.
        seed: of the random vertices.
    """
    ranked = sorted(witnesses, key=lambda state: -witnesses[state][0])[:starts]
    trials = list[Trial]()
    if epsilon > 0.0 and ranked:
        here, rng = soft_map_of(problem, solution), np.random.default_rng(seed)
        for state in ranked:
            for direction in (here.gradient(state, witnesses[state][1]), here.lift(state)):
                trials += climb(problem, solution, state=state, direction=direction, epsilon=epsilon)
        for count in range((starts + 1) // 2):
            vertex = rng.choice([-1.0, 1.0], problem.mdp.n_pairs)
            state = ranked[count % len(ranked)]
            trials += climb(problem, solution, state=state, direction=vertex, epsilon=epsilon)
    return _largest(problem, trials, weights)


def climb(problem: SoftProblem, solution: Solution, *, state: int, direction: Direction, epsilon: float) -> list[Trial]:
    """Follow the signs of the gradient of the gaining set of one state from a direction on."""
    ball = epsilon * problem.half_widths
    here = slice(int(problem.mdp.offsets[state]), int(problem.mdp.offsets[state + 1]))
    trials, best = list[Trial](), 0.0
    for _ in range(STEPS):
        trial = try_change(problem, solution, ball * np.sign(direction))
        trials.append(trial)
        if trial.shifts[state] <= best * (1.0 + 1e-9):
            break
        best = float(trial.shifts[state])
        moved = make_soft_map(problem.mdp, trial.policy, temperature_of(solution), once=True)
        direction = moved.gradient(state, trial.policy[here] > solution.policy[here])
    return trials


def try_change(problem: SoftProblem, solution: Solution, change: Direction) -> Trial:
    """Solve the MDP with its rewards changed."""
    other = problem.solve(temperature_of(solution), change)
    error = solution.policy_error_bound + other.policy_error_bound
    shifts = state_shifts(problem.mdp, solution.policy, other.policy) - error
    return Trial(change, other.policy, np.maximum(shifts, 0.0))


def soft_map_of(problem: SoftProblem, solution: Solution) -> SoftMap:
    """What is needed to differentiate the soft policy of a solution."""
    return make_soft_map(problem.mdp, solution.policy, temperature_of(solution))


def temperature_of(solution: Solution) -> float:
    """The temperature of a regularised solution."""
    return 0.0 if solution.regularizer is None else float(solution.regularizer.temperature)


def _largest(problem: SoftProblem, trials: list[Trial], weights: Float64[np.ndarray, " states"] | None) -> Measured:
    """The largest shifts of all trials."""
    shift = np.zeros(problem.mdp.n_states)
    for trial in trials:
        shift = np.maximum(shift, trial.shifts)
    worst = max(trials, key=lambda trial: float(trial.shifts.max()), default=None)
    change = np.zeros(problem.mdp.n_pairs) if worst is None else worst.change
    mean = np.nan if weights is None else max((float(weights @ trial.shifts) for trial in trials), default=0.0)
    return Measured(shift, mean, change, len(trials))
