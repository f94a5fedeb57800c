"""Soft policies on deterministic trees at gamma = 1, completion by completion (Result 10).

There the soft optimum is a Gibbs measure on whole completions, pi(y) proportional to base(y) exp(G(y) / temperature)
with G the sum of rewards along y and base(y) the product of base measures (1 for entropy). So the total variation
between the completion distributions of two rewards is at most tanh(span(dG) / (4 temperature)) <= tanh(max |dG| / (2
temperature)), prompt by prompt, and the length enters only through how much G can change: for rewards within epsilon *
u, max |dG| <= epsilon * H with H the most half-width on one path (outcome rewards: 1, whatever the length), and
span(dG) is at most epsilon times the most on two paths from where they part, which is attained. Per-token shifts add
up along a completion and say little about it.

Cost: O(nodes), and a few solves a climb for the measured worst case.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.radius.kernels import is_tree
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.cliffs.soft.search import STEPS, temperature_of
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.policies.occupancy import pair_visits
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import amplification
from policycliff.values.solution import Solution


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SequenceBounds:
    """How far the distribution of whole completions can move, prompt by prompt.

    Attributes:
        prompts: (prompts,) root states.
        weights: (prompts,) their initial probabilities.
        horizon: (prompts,) the most half-width on one completion: for half-widths 0 and 1 the number of its steps whose
            reward may change.
        linear: (prompts,) max |dG| / (2 temperature).
        sharp: (prompts,) its hyperbolic tangent.
        span: (prompts,) tanh(span(dG) / (4 temperature)), the smallest of the bounds.
        measured: (prompts,) the largest total variation found by search (a lower bound).
        completions: (pairs,) probability of ending with each pair, under the soft policy; 0 for pairs that do not end.
    """

    prompts: Int64[np.ndarray, " prompts"]
    weights: Float64[np.ndarray, " prompts"]
    horizon: Float64[np.ndarray, " prompts"]
    linear: Float64[np.ndarray, " prompts"]
    sharp: Float64[np.ndarray, " prompts"]
    span: Float64[np.ndarray, " prompts"]
    measured: Float64[np.ndarray, " prompts"]
    completions: Float64[np.ndarray, " pairs"]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        names = ("prompts", "weights", "horizon", "linear", "sharp", "span", "measured", "completions")
        return {name: getattr(self, name).tolist() for name in names}

    def __repr__(self) -> str:
        return (
            f"SequenceBounds({self.prompts.size} prompts; completions move by at most {self.span.max():.4g} in total "
            f"variation, measured {self.measured.max():.4g}; up to {self.horizon.max():g} steps may change)"
        )


def is_deterministic_tree(mdp: MDP) -> bool:
    """Whether the MDP is a forest of deterministic trees whose roots are the initial states."""
    if mdp.initial is None or mdp.order is None:
        return False
    return bool(is_tree(mdp.indptr, mdp.successors, mdp.probabilities, mdp.offsets, mdp.terminal, mdp.initial))


def completion_probabilities(mdp: MDP, policy: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) probability that the completion ends with this pair, at gamma = 1 from the initial distribution.

    Args:
        mdp: a deterministic tree at gamma = 1 with an initial distribution; each leaf is the pair that ends it.
        policy: (pairs,) probabilities.

    Returns:
        Probabilities that sum to 1 (less what starts in a terminal state); products of policy probabilities.
    """
    return np.where(ending_pairs(mdp), pair_visits(mdp, policy), 0.0)


def ending_pairs(mdp: MDP) -> Bool[np.ndarray, " pairs"]:
    """(pairs,) which pairs of a deterministic tree lead to a terminal state."""
    inner = ~mdp.terminal[mdp.pair_states]
    result = np.zeros(mdp.n_pairs, dtype=bool)
    result[inner] = mdp.terminal[mdp.successors[mdp.indptr[:-1][inner]]]
    return result


def prompt_of_states(mdp: MDP) -> Int64[np.ndarray, " states"]:
    """(states,) the root above each state of a deterministic tree, by pointer jumping."""
    above = np.arange(mdp.n_states)
    inner = np.flatnonzero(~mdp.terminal[mdp.pair_states])
    children = mdp.successors[mdp.indptr[inner]]
    single = ~mdp.terminal[children]
    above[children[single]] = mdp.pair_states[inner[single]]
    while True:
        further = above[above]
        if (further == above).all():
            return above
        above = further


def sequence_bounds(
    problem: SoftProblem, solution: Solution, *, epsilon: float, starts: int, seed: int
) -> SequenceBounds | None:
    """Bounds and a measured worst case for whole completions, or None where there is no tree or gamma is not 1."""
    mdp = problem.mdp
    if mdp.gamma != 1.0 or mdp.initial is None or not is_deterministic_tree(mdp):
        return None
    prompts = np.flatnonzero((mdp.initial > 0.0) & ~mdp.terminal)
    if prompts.size == 0:
        return None
    temperature, owners = temperature_of(solution), prompt_of_states(mdp)
    horizon = np.maximum.reduceat(problem.horizon, mdp.offsets[:-1])[prompts]
    widest = np.zeros(mdp.n_states)
    np.maximum.at(widest, owners, problem.horizon_span)
    linear = epsilon * horizon / (2.0 * temperature)
    measured = _search(problem, solution, owners, epsilon=epsilon, starts=starts, seed=seed)[prompts]
    completions = problem.restriction.widen(completion_probabilities(mdp, solution.policy))
    return SequenceBounds(
        prompts=frozen(prompts),
        weights=frozen(mdp.initial[prompts]),
        horizon=frozen(horizon),
        linear=frozen(linear),
        sharp=frozen(np.tanh(linear)),
        span=frozen(np.tanh(np.minimum(epsilon * widest[prompts] / (4.0 * temperature), linear))),
        measured=frozen(measured),
        completions=completions,
    )


def prompt_shifts(
    mdp: MDP,
    owners: Int64[np.ndarray, " states"],
    *,
    before: Float64[np.ndarray, " pairs"],
    after: Float64[np.ndarray, " pairs"],
) -> Float64[np.ndarray, " states"]:
    """(states,) total variation between two completion distributions at each root, given that it is the prompt."""
    change = np.zeros(mdp.n_states)
    np.add.at(change, owners[mdp.pair_states], 0.5 * np.abs(after - before))
    initial = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    return np.where(initial > 0.0, change / np.where(initial > 0.0, initial, 1.0), 0.0)


def _search(
    problem: SoftProblem,
    solution: Solution,
    owners: Int64[np.ndarray, " states"],
    *,
    epsilon: float,
    starts: int,
    seed: int,
) -> Float64[np.ndarray, " states"]:
    """(states,) the largest shift of each prompt, all prompts climbing at once from random vertices."""
    mdp, rng = problem.mdp, np.random.default_rng([seed, 10])
    before = completion_probabilities(mdp, solution.policy)
    best, steps = np.zeros(mdp.n_states), amplification(mdp)
    for _ in range(starts if epsilon > 0.0 else 0):
        direction, reached = rng.choice([-1.0, 1.0], mdp.n_pairs), np.zeros(mdp.n_states)
        for _ in range(STEPS):
            other = problem.solve(temperature_of(solution), epsilon * problem.half_widths * direction)
            after = completion_probabilities(mdp, other.policy)
            error = steps * (solution.policy_error_bound + other.policy_error_bound) + 1e-14 * steps
            shifts = np.maximum(prompt_shifts(mdp, owners, before=before, after=after) - error, 0.0)
            if (shifts <= reached * (1.0 + 1e-9)).all():
                break
            reached = np.maximum(reached, shifts)
            direction = _gaining(mdp, owners, other.policy, after > before)
        best = np.maximum(best, reached)
    return best


def _gaining(
    mdp: MDP,
    owners: Int64[np.ndarray, " states"],
    policy: Float64[np.ndarray, " pairs"],
    gaining: Bool[np.ndarray, " pairs"],
) -> Float64[np.ndarray, " pairs"]:
    """Signs of the gradient of the probability of a set of completions.

    In the reward of a step it is (probability of the step) * (P(set | step) - P(set)) / temperature.
    """
    evaluation = evaluate(mdp, policy, rewards=gaining.astype(np.float64))
    return np.sign(evaluation.q_values - evaluation.values[owners[mdp.pair_states]])
