"""From a task to a change with its proofs: solve, mend what the solver's tolerance left open, certify, or say why not.

Mending: where next to nothing is missing, a change larger by 1e-12 or 1e-10 of itself may do. Else what is missing from
the margin is taken off the rivals that may change, which moves no value of the target. Where rivals are frozen or
features move, the program is solved again for a margin that is larger by what was missing.
"""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.cliffs.design.certificates import attained_margin, continuation, lower_bound, proven_gaps
from policycliff.cliffs.design.descent import descend
from policycliff.cliffs.design.membership import decide
from policycliff.cliffs.design.programs import FOUND, Guess, least_violation, sparse_program
from policycliff.cliffs.design.saddle import find_saddle
from policycliff.cliffs.design.task import DesignTask
from policycliff.shapes import Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import UNIT_ROUNDOFF

# Beyond this many states a factorisation may fill in; where every reward may change, other ways take over.
PROGRAM_LIMIT = 3000
REPAIRS = 5
RETRIES = 3
NOISE = 1e-9
GROWTHS = (0.0, 1e-12, 1e-10)
SOLVED_WITHIN = 1e-6

# "Impossible" is claimed where no change below this many times the largest reward does it.
OUT_OF_REACH = 1e6

Vector = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A certified change, or what stands against one; fields as in `TieBreakerDesign`."""

    status: str
    change: Vector
    coefficients: Float64[np.ndarray, " features"] | None
    size: float
    lower: float
    attained: float
    active: Int64[np.ndarray, " active"]
    largest_margin: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A change with its coefficients, and the margin that it is proven to attain."""

    change: Vector
    coefficients: Float64[np.ndarray, " features"] | None
    attained: float


def find_change(task: DesignTask) -> Found:
    """The least change that fulfils the task, certified."""
    nothing = np.zeros(task.mdp.n_pairs)
    without = np.zeros(len(task.features)) if task.features is not None else None
    present = attained_margin(task, nothing)
    if present >= task.margin and not task.is_mixed:
        return Found("solved", nothing, without, 0.0, 0.0, present, np.zeros(0, np.int64))
    if task.margin == 0.0 and task.counts.all() and decide(task.mdp, task.policy, exact=False):
        # It ties, which floats cannot prove.
        return Found("solved", nothing, without, 0.0, 0.0, 0.0, np.zeros(0, np.int64))
    guesses = _guesses(task)
    if guesses[-1].status != FOUND:
        return _explain(task)
    lower = max(lower_bound(task, guess.multipliers, guess.weights) for guess in guesses)
    attempt = _mended(task, min(guesses, key=lambda guess: task.size(guess.change, guess.coefficients)))
    size = task.size(attempt.change, attempt.coefficients)
    return Found(
        status=_status(task, attempt, size, lower),
        change=attempt.change,
        coefficients=attempt.coefficients,
        size=size,
        lower=min(lower, size) if attempt.attained >= task.margin else lower,
        attained=attempt.attained,
        active=_heaviest(task, guesses[-1].multipliers),
    )


def _guesses(task: DesignTask) -> list[Guess]:
    if not task.all_free or (task.norm != "2" and task.mdp.n_states <= PROGRAM_LIMIT):
        return [sparse_program(task)]
    start = evaluate(task.mdp, continuation(task, np.zeros(task.mdp.n_pairs))).values
    return [descend(task, start)] if task.norm == "2" else find_saddle(task, start)


def _status(task: DesignTask, attempt: _Attempt, size: float, lower: float) -> str:
    if attempt.attained < task.margin:
        return "unresolved"
    return "solved" if size - lower <= SOLVED_WITHIN * size + NOISE * task.scale else "bracket"


def _mended(task: DesignTask, guess: Guess) -> _Attempt:
    """The guess, mended until it attains the margin or nothing more helps."""
    best = _attempt(task, guess)
    asked = task.margin
    for _ in range(RETRIES):
        missing = task.margin - best.attained
        if missing <= 0.0:
            break
        asked += 2.0 * missing + UNIT_ROUNDOFF * task.scale
        again = sparse_program(task.with_margin(asked))
        if again.status != FOUND:
            break
        other = _attempt(task, again)
        best = other if other.attained > best.attained else best
    return best


def _attempt(task: DesignTask, guess: Guess) -> _Attempt:
    """The guess without noise, a little larger if that is enough, else with rivals lowered that may be."""
    if task.features is not None and guess.coefficients is not None:
        coefficients = _without_noise(guess.coefficients)
        grown = [(1.0 + growth) * coefficients for growth in GROWTHS]
        return _first_that_does(task, [_Attempt(c @ task.features, c, -np.inf) for c in grown])
    change = _without_noise(guess.change)
    best = _first_that_does(task, [_Attempt((1.0 + growth) * change, None, -np.inf) for growth in GROWTHS])
    return best if best.attained >= task.margin else _lowered(task, change)


def _first_that_does(task: DesignTask, attempts: list[_Attempt]) -> _Attempt:
    """The first that attains the margin, else the one that attains most; larger ones only where little is missing."""
    best = attempts[0]
    for attempt in attempts:
        attained = attained_margin(task, attempt.change)
        if attained > best.attained:
            best = replace(attempt, attained=attained)
        if attained >= task.margin or task.margin - attained > GROWTHS[-1] * 1e2 * task.scale:
            break
    return best


def _lowered(task: DesignTask, change: Vector) -> _Attempt:
    """What is missing from the margin taken off the rivals that may change."""
    for power in range(REPAIRS):
        gaps, error = proven_gaps(task, change)
        missing = np.where(task.free, np.maximum(task.margin - gaps, 0.0), 0.0)
        if not missing.any():
            break
        # The next evaluation errs in another way, by as much.
        rounding = error + 2.0 * UNIT_ROUNDOFF * (np.abs(task.mdp.rewards) + np.abs(change) + missing)
        change = np.where(missing > 0.0, change - missing - 2.0**power * rounding, change)
    return _Attempt(change, None, attained_margin(task, change))


def _without_noise(vector: np.ndarray) -> np.ndarray:
    return np.where(np.abs(vector) > NOISE * float(np.abs(vector).max(initial=0.0)), vector, 0.0)


def _explain(task: DesignTask) -> Found:
    """What is the matter: the least violation, and whether its multipliers prove that nothing does it."""
    nothing = np.zeros(task.mdp.n_pairs)
    guess = least_violation(task)
    lower = lower_bound(task, guess.multipliers, guess.weights)
    impossible = guess.status == FOUND and lower > OUT_OF_REACH * task.scale
    largest = _rounded(attained_margin(task, guess.change), task.scale) if impossible else None
    return Found(
        status="impossible" if impossible else "unresolved",
        change=nothing,
        coefficients=None,
        size=np.inf,
        lower=lower,
        attained=attained_margin(task, nothing),
        active=_heaviest(task, guess.multipliers),
        largest_margin=largest,
    )


def _rounded(number: float, scale: float) -> float:
    """Without what rounding adds to it."""
    return round(number / scale, 12) * scale + 0.0


def _heaviest(task: DesignTask, multipliers: Vector) -> Int64[np.ndarray, " active"]:
    weights = np.where(task.rivals, multipliers, 0.0)
    active = np.flatnonzero(weights > SOLVED_WITHIN * float(weights.max(initial=0.0)))
    return np.asarray(active[np.argsort(-weights[active], kind="stable")])
