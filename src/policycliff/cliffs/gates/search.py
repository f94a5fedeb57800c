"""Measured worst cases through a gate: which move of the components changes most, found by search (lower bounds).

The maximum of a linear function of R_eff over the ball of tuples is climbed: pull its gradient back through the gate,
go to the corner of the ball with those signs, pull back again there, while the value grows. Beside the gradient, which
vanishes where a gate is saturated or hard, each climb also starts from the corner that turns the gate from the
component that pays least to the one that pays most. Policies are climbed like that too, with the gradient of the
probability of the set of actions that gain. Every number belongs to a tuple in the ball and a certified solve, less all
errors: the true worst case is at least that, and how much more is not known.

Cost: reward and Q: none, and one solve for each trial; policy: a soft solve and a transposed solve for each trial.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.soft.jacobian import SoftMap, make_soft_map
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.cliffs.soft.search import temperature_of
from policycliff.policies.distances import state_shifts
from policycliff.rewards.gates.gated import GatedReward, with_move
from policycliff.rewards.gates.growth import Move, pull_back, statistic_gradient
from policycliff.shapes import Bool, Float64
from policycliff.values.operator import amplification
from policycliff.values.solution import Solution
from policycliff.values.solve import solve, tight_tolerance

STEPS = 8

Pairs = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True)
class Ball:
    """Components within `epsilon` and parameters within `parameter_epsilon` of a gated reward."""

    gated: GatedReward
    epsilon: float
    parameter_epsilon: float

    def corner(self, direction: Move) -> tuple[Move, GatedReward]:
        """The corner of the ball with the signs of a direction, and the gated reward there."""
        move = direction.corner(self.epsilon, self.parameter_epsilon)
        return move, with_move(self.gated, rewards=move.rewards, parameters=move.parameters)

    def random(self, rng: np.random.Generator) -> Move:
        """A random direction; rewards of terminal states stay."""
        alive = ~self.gated.mdp.terminal[self.gated.mdp.pair_states]
        parameters = self.gated.gate.parameters
        later = None if parameters is None else rng.choice([-1.0, 1.0], parameters.shape)
        return Move(rng.choice([-1.0, 1.0], self.gated.components.shape) * alive, later)


def scaled(move: Move, factor: float) -> Move:
    """The move times a number."""
    return Move(factor * move.rewards, None if move.parameters is None else factor * move.parameters)


def largest_reward_shift(ball: Ball, bounds: Pairs, starts: int) -> float:
    """The largest |R_eff' - R_eff| found, climbing at the pairs whose bound is largest."""
    gated, best = ball.gated, 0.0
    for pair in _widest(bounds, starts):
        unit = np.zeros(gated.mdp.n_pairs)
        unit[pair] = 1.0
        for sign in (1.0, -1.0):
            for direction in (pull_back(gated, sign * unit), *turning(gated, pair, sign)):
                best = max(best, climb_linear(ball, sign * unit, direction)[0])
    return max(best - 2.0 * gated.rounding, 0.0)


def _widest(bounds: Pairs, starts: int) -> list[int]:
    """The pairs of largest bound; those that cannot move, such as pairs of terminal states, are left out."""
    ranked = np.argsort(-bounds, kind="stable")[:starts]
    return np.asarray(ranked[bounds[ranked] > 0.0]).tolist()


def climb_linear(ball: Ball, gradient: Pairs, direction: Move) -> tuple[float, Move]:
    """The largest gradient . (R_eff' - R_eff) on a climb from this direction, and the move that attains it."""
    best, reached = 0.0, scaled(direction, 0.0)
    for _ in range(STEPS):
        move, moved = ball.corner(direction)
        gain = float(gradient @ (moved.rewards - ball.gated.rewards))
        if gain <= best * (1.0 + 1e-12):
            break
        best, reached, direction = gain, move, pull_back(moved, gradient)
    return best, reached


def turning(gated: GatedReward, pair: int, sign: float) -> Iterator[Move]:
    """Directions that turn the gate of a pair's state to the component that pays most there (least, if negative).

    The first leaves the rewards of the pair itself to the gate, the second moves them all by the sign.
    """
    mdp, paid = gated.mdp, sign * gated.components[:, pair]
    to, away = int(np.argmax(paid)), int(np.argmin(paid))
    gain = gated.gate.gain_matrix(len(gated.components))
    here = mdp.pair_states == mdp.pair_states[pair]
    rewards = statistic_gradient(gated) * (gain[to] - gain[away])[:, None] * here
    parameters = None
    if gated.gate.features is not None:
        parameters = np.zeros((gated.gate.features.shape[1], len(gated.components)))
        parameters[:, to] += gated.gate.features[mdp.pair_states[pair]]
        parameters[:, away] -= gated.gate.features[mdp.pair_states[pair]]
    yield Move(rewards + 0.0, parameters)
    rewards[:, pair] = sign
    yield Move(rewards, parameters)


def largest_q_shift(ball: Ball, bounds: Pairs, starts: int) -> float:
    """The largest |Q*' - Q*| found, from the gradients of the Q-values whose bound is largest."""
    mdp, best = ball.gated.mdp, 0.0
    before = solve(mdp, tolerance=tight_tolerance(mdp.rewards))
    soft_map = make_soft_map(mdp, before.policy, 1.0)
    for pair in _widest(bounds, starts):
        row, _ = soft_map.solver.solve(mdp.transitions[[pair]].toarray()[0])
        gradient = mdp.gamma * row[mdp.pair_states] * before.policy
        gradient[pair] += 1.0
        for sign in (1.0, -1.0):
            for direction in (pull_back(ball.gated, sign * gradient), *turning(ball.gated, pair, sign)):
                _, move = climb_linear(ball, sign * gradient, direction)
                moved = with_move(ball.gated, rewards=move.rewards, parameters=move.parameters)
                after = solve(moved.mdp, tolerance=tight_tolerance(moved.mdp.rewards))
                error = before.error_bound + after.error_bound
                error += (ball.gated.rounding + moved.rounding) * amplification(mdp)
                best = max(best, float(np.abs(after.q_values - before.q_values).max()) - error)
    return best


@dataclass(frozen=True, slots=True)
class MeasuredPolicy:
    """The largest shifts found: (states,) in each state, and the move that shifted some state most."""

    shift: Float64[np.ndarray, " states"]
    move: Move
    solves: int


@dataclass(frozen=True, slots=True, eq=False)
class PolicySearch:
    """A search for the move of the tuple that moves the soft policy most."""

    ball: Ball
    problem: SoftProblem
    solution: Solution

    def run(self, bounds: Float64[np.ndarray, " states"], starts: int, seed: int) -> MeasuredPolicy:
        """Climb at the states with the largest bounds, and from random corners."""
        ranked = [state for state in np.argsort(-bounds, kind="stable")[:starts].tolist() if bounds[state] > 0.0]
        here, rng = self._map(self.solution), np.random.default_rng(seed)
        best, worst, move, solves = np.zeros(bounds.size), 0.0, self._still(), 0
        for state in ranked:
            for direction in (*self._directions(here, state), self.ball.random(rng)):
                for trial, shifts in self._climb(state, direction):
                    best, solves = np.maximum(best, shifts), solves + 1
                    if float(shifts.max()) > worst:
                        worst, move = float(shifts.max()), trial
        return MeasuredPolicy(best, move, solves)

    def _climb(self, state: int, direction: Move) -> Iterator[tuple[Move, Float64[np.ndarray, " states"]]]:
        """Trials on a climb at one state: moves and how far they move the policy, less all errors."""
        mdp, best = self.problem.mdp, 0.0
        actions = slice(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
        for _ in range(STEPS):
            move, moved = self.ball.corner(direction)
            after = self._solve(moved)
            shifts = self._shifts(after, moved)
            yield move, shifts
            if shifts[state] <= best * (1.0 + 1e-9):
                return
            best = float(shifts[state])
            gaining = after.policy[actions] > self.solution.policy[actions]
            direction = pull_back(moved, self._wide(self._map(after, once=True).gradient(state, gaining)))

    def _directions(self, here: SoftMap, state: int) -> Iterator[Move]:
        """Both signs of the gradients that matter at a state, and the corners that turn its gate."""
        gated, policy = self.ball.gated, here.policy[here.mdp.offsets[state] : here.mdp.offsets[state + 1]]
        top: Bool[np.ndarray, " actions"] = np.arange(policy.size) == int(np.argmax(policy))
        for gradient in (here.gradient(state, top), here.lift(state)):
            for sign in (1.0, -1.0):
                yield pull_back(gated, sign * self._wide(gradient))
        first, second = (int(here.mdp.offsets[state]) + np.argsort(-policy, kind="stable")[:2]).tolist()
        for pair in self.problem.restriction.pairs[[first, second]].tolist():
            yield from turning(gated, pair, 1.0)
            yield from turning(gated, pair, -1.0)

    def _solve(self, moved: GatedReward) -> Solution:
        change = moved.rewards - self.ball.gated.rewards
        alive = ~self.ball.gated.mdp.terminal[self.ball.gated.mdp.pair_states]
        return self.problem.solve(temperature_of(self.solution), (change * alive)[self.problem.restriction.pairs])

    def _shifts(self, after: Solution, moved: GatedReward) -> Float64[np.ndarray, " states"]:
        rounding = (self.ball.gated.rounding + moved.rounding) * amplification(self.problem.mdp)
        error = self.solution.policy_error_bound + after.policy_error_bound
        error += float(np.tanh(rounding / (2.0 * temperature_of(self.solution))))
        shifts = state_shifts(self.problem.mdp, self.solution.policy, after.policy) - error
        return np.maximum(shifts, 0.0)

    def _map(self, solution: Solution, *, once: bool = False) -> SoftMap:
        return make_soft_map(self.problem.mdp, solution.policy, temperature_of(solution), once=once)

    def _wide(self, gradient: Float64[np.ndarray, " kept"]) -> Pairs:
        return self.problem.restriction.widen(gradient)

    def _still(self) -> Move:
        return scaled(self.ball.random(np.random.default_rng(0)), 0.0)
