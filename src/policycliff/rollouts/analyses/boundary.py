"""Prompts to look at first: those on the cliff, next to it, or ranked against the truth.

Four reasons, each with its own order, take turns so that none crowds out the others:

- *consequential tie*: by what the right tie-breaker gains in the truth over picking at random, then by how far the
  tied behaviours lie apart in another column;
- *reward prefers a worse answer* (or the truth column is wrong): by how much better the best sampled truth is than that
  of the best reward;
- *tied within noise* (or *small winning margin* where the noise is not known: a margin that an error of a tenth of the
  scale can close): by how far the behaviours in contention lie apart in the truth, or in another column;
- *no signal*: groups without spread whose behaviours differ, after all others.

Margins at which nothing is at stake, and then wider ones, only fill what is left. What is still equal is ordered at
random by the seed, not by its place in the file.
"""

from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.competing import Contest, describe
from policycliff.rollouts.analyses.degeneracy import Aspect, aspect_range, behaviour_means, observed_span, within_noise
from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.analyses.radius import within_prompt_scale
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

CONSEQUENTIAL = "consequential tie"
WORSE = "reward prefers a worse answer"
WITHIN_NOISE = "tied within noise"
SMALL_MARGIN = "small winning margin"
NO_SIGNAL = "no signal"
NEAREST = "nearest margin"

_FILLERS = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the prompts stand.

    Attributes:
        near: (behaviours,) in contention: within the noise of the best, or within reach of an error of a tenth of the
            within-prompt scale where the noise is not known.
        near_reason: What a prompt with several behaviours in contention is called.
        gain: (prompts,) truth that the right tie-breaker gains over a random pick; 0 without a truth.
        unfixable: (prompts,) truth of the best sample beyond that of the best set; 0 without a truth.
        apart: (prompts,) greatest difference of another column over the best set, relative to the column's range.
        near_apart: (prompts,) the same over the behaviours in contention, for the truth if there is one.
    """

    near: Bool[np.ndarray, " behaviours"]
    near_reason: str
    gain: Float64[np.ndarray, " prompts"]
    unfixable: Float64[np.ndarray, " prompts"]
    apart: Float64[np.ndarray, " prompts"]
    near_apart: Float64[np.ndarray, " prompts"]


def boundary_prompts(
    table: RolloutTable,
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspects: list[Aspect],
    *,
    truth: Aspect | None,
    noise: Noise,
    limit: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The prompts to look at, each with its competing completions, their scores and the reason it is here."""
    standing = _standing(scored, aspects, truth, noise)
    rng = np.random.default_rng(seed)
    ranges = {aspect.name: aspect_range(scored, aspect) for aspect in aspects}
    contest = Contest(scored, aspects, truth, ranges, standing.near, rng.permutation(len(scored.values)))
    counts = _reason_counts(scored, consequential, standing)
    return [
        describe(table, contest, prompt, reason=reason)
        | {"same_reason": counts[reason]}
        | _stakes(contest, standing, prompt)
        for prompt, reason in _chosen(scored, consequential, standing, limit=limit, rng=rng)
    ]


def drop_list(
    table: RolloutTable, scored: Scored, phantom: Bool[np.ndarray, " prompts"] | None
) -> list[dict[str, Any]]:
    """Prompts that train nothing (no spread) or train the wrong thing (phantom advantages), with the reason.

    A name may be a text cut short, or come again at another step; `row`, the first of its rows, is one of a kind.
    """
    reasons = np.where(scored.zero_spread, "zero spread", "")
    if phantom is not None:
        reasons = np.where(phantom, "phantom advantages", reasons)
    listed = np.flatnonzero(reasons != "")
    first = table.offsets[scored.layout.prompts[listed]]
    names = table.frame["__prompt_id"].gather(first)
    steps = table.frame["__step"].gather(first).cast(pl.String) if "__step" in table.frame.columns else None
    rows = np.minimum.reduceat(table.row_index, table.offsets[:-1])[scored.layout.prompts[listed]]
    return [
        {"prompt": name, "reason": str(reason), "row": int(row), "step": None if steps is None else steps[position]}
        for position, (name, reason, row) in enumerate(zip(names, reasons[listed], rows, strict=True))
    ]


def _standing(scored: Scored, aspects: list[Aspect], truth: Aspect | None, noise: Noise) -> Standing:
    nothing = np.zeros(scored.layout.n_prompts)
    if noise.sigma:
        near, near_reason = within_noise(scored, noise.sigma), WITHIN_NOISE
    else:
        # An error of e closes a gap of 2 e: best down, rival up.
        reach = 2.0 * 0.1 * within_prompt_scale(scored)[0]
        near, near_reason = scored.best_value[scored.layout.prompt_of_behaviour] - scored.values <= reach, SMALL_MARGIN
    gain, unfixable = (nothing, nothing) if truth is None else _against_truth(scored, truth)
    at_stake = aspects if truth is None else [truth]
    return Standing(
        near,
        near_reason,
        gain,
        unfixable,
        apart=_widest(scored, aspects, scored.best),
        near_apart=_widest(scored, at_stake, near),
    )


def _widest(
    scored: Scored, aspects: list[Aspect], among: Bool[np.ndarray, " behaviours"]
) -> Float64[np.ndarray, " prompts"]:
    """Greatest difference among behaviours in any of the columns, relative to the column's observed range."""
    ranges = [aspect_range(scored, aspect, among) / (observed_span(aspect.scores) or 1.0) for aspect in aspects]
    return np.max([np.zeros(scored.layout.n_prompts), *ranges], axis=0)


def _against_truth(
    scored: Scored, truth: Aspect
) -> tuple[Float64[np.ndarray, " prompts"], Float64[np.ndarray, " prompts"]]:
    """What the right tie-breaker gains over a random pick, and what the best sample has beyond the best set."""
    layout = scored.layout
    offsets = layout.behaviour_offsets
    values = behaviour_means(scored, truth.scores)
    known = ~np.isnan(values)
    draws = np.where(scored.best & known, layout.draws, 0)
    mean = segment_sum(draws * np.where(known, values, 0.0), offsets) / np.maximum(segment_sum(draws, offsets), 1)
    best = segment_max(np.where(scored.best & known, values, -np.inf), offsets)
    largest = segment_max(np.where(known, values, -np.inf), offsets)
    seen = np.isfinite(best)
    best = np.where(seen, best, 0.0)
    return best - np.where(seen, mean, 0.0), np.where(seen, largest, 0.0) - best


def _chosen(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    standing: Standing,
    *,
    limit: int,
    rng: np.random.Generator,
) -> list[tuple[int, str]]:
    """Prompts with their reasons: reasons take turns, fillers follow, and the list is then put in their order."""
    chance, flat, gap = rng.permutation(scored.layout.n_prompts), scored.zero_spread, scored.gap
    tie_order = (chance, scored.tied_size, -standing.apart, -standing.gain)
    worse = (standing.unfixable > 0) & ~flat
    near = scored.is_unique & ~worse & (segment_sum(standing.near, scored.layout.behaviour_offsets) > 1)
    queues = {
        CONSEQUENTIAL: _ordered(consequential & ~flat, tie_order),
        WORSE: _ordered(worse, (chance, -standing.unfixable)),
        standing.near_reason: _ordered(near & (standing.near_apart > 0), (chance, gap, -standing.near_apart)),
    }
    quiet = _with_reason((standing.near_reason, _ordered(near & (standing.near_apart == 0), (chance, gap))))
    no_signal = _with_reason((NO_SIGNAL, _ordered(consequential & flat, tie_order)))
    nearest = _with_reason((NEAREST, _ordered(scored.is_unique & ~worse & ~near, (chance, gap))))
    turns = [pair for pair in chain.from_iterable(zip_longest(*map(_with_reason, queues.items()))) if pair is not None]
    taken: dict[int, str] = {}
    for prompt, reason in [*turns, *quiet[:_FILLERS], *no_signal, *quiet, *nearest]:
        if len(taken) == limit:
            break
        taken.setdefault(prompt, reason)
    order = [*queues, NO_SIGNAL, NEAREST]
    return sorted(taken.items(), key=lambda item: order.index(item[1]))


def _reason_counts(scored: Scored, consequential: Bool[np.ndarray, " prompts"], standing: Standing) -> dict[str, int]:
    """How many prompts of the table could have been listed for each reason."""
    flat, worse = scored.zero_spread, standing.unfixable > 0
    near = scored.is_unique & (segment_sum(standing.near, scored.layout.behaviour_offsets) > 1)
    return {
        CONSEQUENTIAL: int((consequential & ~flat).sum()),
        WORSE: int((worse & ~flat).sum()),
        standing.near_reason: int(near.sum()),
        NO_SIGNAL: int((consequential & flat).sum()),
        NEAREST: int((scored.is_unique & ~near).sum()),
    }


def _with_reason(queue: tuple[str, list[int]]) -> list[tuple[int, str]]:
    reason, prompts = queue
    return [(prompt, reason) for prompt in prompts]


def _stakes(contest: Contest, standing: Standing, prompt: int) -> dict[str, Any]:
    """What is at stake in a prompt, in units of the truth; None without a truth."""
    offsets = contest.scored.layout.behaviour_offsets
    known = contest.truth is not None
    return {
        "in_contention": int(standing.near[offsets[prompt] : offsets[prompt + 1]].sum()),
        "tie_breaker_gain": float(standing.gain[prompt]) if known else None,
        "unfixable": float(standing.unfixable[prompt]) if known else None,
    }


def _ordered(member: Bool[np.ndarray, " prompts"], keys: tuple[np.ndarray, ...]) -> list[int]:
    """Members in the order of the keys, the last key first."""
    chosen: Int64[np.ndarray, " chosen"] = np.flatnonzero(member)
    return chosen[np.lexsort([key[chosen] for key in keys])].tolist()
