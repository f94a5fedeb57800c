"""Advantages under a missing reward, what one switch gains and what the policy loses, in floats or in fractions."""

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from policycliff.cliffs.degeneracy.restricted_returns import Bracket, float_bracket, minus, weighted_return
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.policies.occupancy import state_visits
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.evaluation import Evaluation, evaluate
from policycliff.values.exact import make_exact, rationals
from policycliff.values.operator import UNIT_ROUNDOFF, amplification
from policycliff.values.solve import solve, tight_tolerance


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A policy, the missing reward, and the pairs that could prove something."""

    mdp: MDP
    missing: Float64[np.ndarray, " pairs"]
    policy: Float64[np.ndarray, " pairs"]
    start: Float64[np.ndarray, " states"]
    candidates: Bool[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Proven pairs, strongest first, which ones are undecided, the gain of the strongest and the loss."""

    pairs: Int64[np.ndarray, " found"]
    advantages: Float64[np.ndarray, " found"]
    weighted: Float64[np.ndarray, " found"]
    undecided: Bool[np.ndarray, " pairs"]
    gain: float
    gain_bracket: Bracket
    loss: float
    loss_bracket: Bracket


def evidence_in_floats(question: Question, *, settled: bool) -> Evidence:
    """Certified by error bounds; where the sets are not `settled` a pair must also be better under both rewards."""
    mdp, policy, candidates = question.mdp, question.policy, question.candidates
    total = mdp.with_rewards(mdp.rewards + question.missing)
    blur = UNIT_ROUNDOFF * float(np.abs(total.rewards).max()) * amplification(mdp)
    now = evaluate(total, policy)
    advantages, slack = _advantages(mdp, evaluate(mdp, policy, rewards=question.missing), 0.0)
    proven, undecided = candidates & (advantages > slack), candidates & (np.abs(advantages) <= slack) & (slack > 0.0)
    if not settled:
        both, more = _advantages(mdp, now, blur)
        undecided |= proven & (both <= more)
        proven &= both > more
    here = weighted_return(question.start, now.values, now.error_bound + blur)
    best = solve(total, tolerance=tight_tolerance(total.rewards))
    loss, bracket = _gap(weighted_return(question.start, best.values, best.error_bound + blur), here)
    gain, gain_bracket = 0.0, (0.0, 0.0)
    pairs, weighted = _ranked(question, proven, advantages)
    if pairs.size:
        after = evaluate(total, _switched(mdp, policy, int(pairs[0])))
        gain, gain_bracket = _gap(weighted_return(question.start, after.values, after.error_bound + blur), here)
    bracket = (max(bracket[0], gain_bracket[0]), bracket[1])
    return Evidence(
        pairs=pairs,
        advantages=advantages[pairs],
        weighted=weighted,
        undecided=undecided,
        gain=gain,
        gain_bracket=gain_bracket,
        loss=loss,
        loss_bracket=bracket,
    )


def evidence_in_fractions(question: Question) -> Evidence:
    """Everything decided, for a deterministic policy."""
    mdp, policy = question.mdp, question.policy
    exact = make_exact(mdp)
    best = np.flatnonzero(policy).tolist()
    lacking = rationals(question.missing)
    total = [a + b for a, b in zip(rationals(mdp.rewards), lacking, strict=True)]
    under_missing, now = exact.values(best, [lacking, total])
    q = exact.q_values(under_missing, lacking)
    owners = mdp.pair_states.tolist()
    differences = [value - under_missing[owners[pair]] for pair, value in enumerate(q)]
    advantages = np.array([float(difference) for difference in differences])
    proven = question.candidates & np.array([difference > 0 for difference in differences])
    weights = rationals(question.start)
    optimal = exact.optimise(total, best)[1]
    loss = _weighted(weights, optimal) - _weighted(weights, now)
    gain = fmpq(0)
    pairs, weighted = _ranked(question, proven, advantages)
    if pairs.size:
        switched = np.flatnonzero(_switched(mdp, policy, int(pairs[0]))).tolist()
        gain = _weighted(weights, exact.values(switched, [total])[0]) - _weighted(weights, now)
    return Evidence(
        pairs=pairs,
        advantages=advantages[pairs],
        weighted=weighted,
        undecided=np.zeros_like(proven),
        gain=float(gain),
        gain_bracket=float_bracket(gain),
        loss=float(loss),
        loss_bracket=float_bracket(loss),
    )


def _ranked(
    question: Question, proven: Bool[np.ndarray, " pairs"], advantages: Float64[np.ndarray, " pairs"]
) -> tuple[Int64[np.ndarray, " found"], Float64[np.ndarray, " found"]]:
    """Proven pairs by visits times advantage, then by advantage; and those products. Visits are found if needed."""
    pairs = np.flatnonzero(proven)
    if pairs.size == 0:
        return pairs, np.zeros(0)
    visits = state_visits(question.mdp, question.policy, initial=question.start)[question.mdp.pair_states[pairs]]
    weighted = visits * advantages[pairs]
    order = np.lexsort((-advantages[pairs], -weighted))
    return pairs[order], weighted[order]


def _advantages(mdp: MDP, evaluation: Evaluation, blur: float) -> tuple[Float64[np.ndarray, " pairs"], float]:
    """Advantages and a bound on their errors, given how far the rewards were rounded."""
    error = 2.0 * (evaluation.error_bound + blur)
    size = float(np.abs(evaluation.q_values).max() + np.abs(evaluation.values).max())
    return evaluation.advantages(mdp), error + (2.0 * UNIT_ROUNDOFF * size if error > 0.0 else 0.0)


def _switched(mdp: MDP, policy: Float64[np.ndarray, " pairs"], pair: int) -> Float64[np.ndarray, " pairs"]:
    """The policy that takes this pair whenever it is in its state."""
    state = int(mdp.pair_states[pair])
    changed = policy.copy()
    changed[mdp.offsets[state] : mdp.offsets[state + 1]] = 0.0
    changed[pair] = 1.0
    return frozen(changed)


def _gap(upper: tuple[float, float], lower: tuple[float, float]) -> tuple[float, Bracket]:
    """Difference of two returns that is known to be at least 0, with its interval."""
    difference, error = upper[0] - lower[0], upper[1] + lower[1]
    error = (error + UNIT_ROUNDOFF * abs(difference)) * (1.0 + 4.0 * UNIT_ROUNDOFF)
    return max(difference, 0.0), (max(minus(difference, error)[0], 0.0), max(minus(difference, -error)[1], 0.0))


def _weighted(weights: list[fmpq], values: list[fmpq]) -> fmpq:
    return sum((w * v for w, v in zip(weights, values, strict=True)), fmpq(0))
