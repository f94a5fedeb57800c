"""Prompts to look at first: those on the cliff, next to it, or ranked against the truth.

Four reasons, each with its own order, take turns so that none crowds out the others:

- *consequential tie*: by what the right tie-breaker gains in the truth over picking at random, then by how far the
  tied behaviours lie apart in another column;
- *reward prefers a worse answer*: by how much better the best sampled truth is than that of the best reward;
- *tied within noise* (or *small winning margin* where the noise is not known): by how far the behaviours within reach
  lie apart in the truth, then by the margin;
- *no signal*: groups without spread whose behaviours differ, after all others.

What is still equal is ordered at random by the seed, not by its place in the file.
"""

from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from policycliff.rollouts.analyses.competing import describe
from policycliff.rollouts.analyses.degeneracy import Aspect, aspect_range, behaviour_means
from policycliff.rollouts.analyses.noise import NOISE_MARGIN, Noise
from policycliff.rollouts.analyses.radius import within_prompt_scale
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_min, segment_sum
from policycliff.rollouts.table import RolloutTable

CONSEQUENTIAL = "consequential tie"
WORSE = "reward prefers a worse answer"
WITHIN_NOISE = "tied within noise"
SMALL_MARGIN = "small winning margin"
NO_SIGNAL = "no signal"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the prompts stand.

    Attributes:
        reach: Margin in reward units within which a behaviour is in contention: that of the noise, or a tenth of the
            within-prompt scale.
        reach_is_noise: Whether `reach` comes from the noise.
        gain: (prompts,) truth that the right tie-breaker gains over a random pick; 0 without a truth.
        unfixable: (prompts,) truth of the best sample beyond that of the best set; 0 without a truth.
        apart: (prompts,) greatest difference of another column over the best set, relative to the column's range.
        near_apart: (prompts,) difference in the truth over the behaviours in contention; 0 without a truth.
    """

    reach: float
    reach_is_noise: bool
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
    return [
        describe(table, scored, prompt, aspects, reason=reason, truth=truth, reach=standing.reach)
        for prompt, reason in _chosen(scored, consequential, standing, limit=limit, seed=seed)
    ]


def drop_list(
    table: RolloutTable, scored: Scored, phantom: Bool[np.ndarray, " prompts"] | None
) -> list[dict[str, str]]:
    """Prompts that train nothing (no spread) or train the wrong thing (phantom advantages), with the reason."""
    names = table.frame["__prompt_id"].gather(table.offsets[:-1])
    reasons = np.where(scored.zero_spread, "zero spread", "")
    if phantom is not None:
        reasons = np.where(phantom, "phantom advantages", reasons)
    listed = np.flatnonzero(reasons != "")
    ids = names.gather(scored.layout.prompts[listed])
    return [{"prompt": prompt, "reason": str(why)} for prompt, why in zip(ids, reasons[listed], strict=True)]


def _standing(scored: Scored, aspects: list[Aspect], truth: Aspect | None, noise: Noise) -> Standing:
    nothing = np.zeros(scored.layout.n_prompts)
    of_noise = NOISE_MARGIN * float(np.sqrt(2.0)) * (noise.sigma or 0.0)
    reach = of_noise or 0.1 * within_prompt_scale(scored)[0]
    ranges = [aspect_range(scored, aspect) / _observed_range(aspect) for aspect in aspects]
    gain, unfixable, near = (nothing, nothing, nothing) if truth is None else _against_truth(scored, truth, reach)
    return Standing(reach, bool(noise.sigma), gain, unfixable, np.max([nothing, *ranges], axis=0), near)


def _against_truth(
    scored: Scored, truth: Aspect, reach: float
) -> tuple[Float64[np.ndarray, " prompts"], Float64[np.ndarray, " prompts"], Float64[np.ndarray, " prompts"]]:
    """Tie-breaker gain, unfixable truth, and difference in the truth over the behaviours in contention."""
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    values = behaviour_means(scored, truth.scores)
    known = ~np.isnan(values)
    draws = np.where(scored.best & known, layout.draws, 0)
    mean = segment_sum(draws * np.where(known, values, 0.0), offsets) / np.maximum(segment_sum(draws, offsets), 1)
    best = segment_max(np.where(scored.best & known, values, -np.inf), offsets)
    largest = segment_max(np.where(known, values, -np.inf), offsets)
    near = known & (scored.best_value[where] - scored.values <= reach)
    high = segment_max(np.where(near, values, -np.inf), offsets)
    low = segment_min(np.where(near, values, np.inf), offsets)
    seen = np.isfinite(best)
    return (
        np.where(seen, best, 0.0) - np.where(seen, mean, 0.0),
        np.where(seen, largest, 0.0) - np.where(seen, best, 0.0),
        np.where(np.isfinite(high), high, 0.0) - np.where(np.isfinite(high), low, 0.0),
    )


def _chosen(
    scored: Scored, consequential: Bool[np.ndarray, " prompts"], standing: Standing, *, limit: int, seed: int
) -> list[tuple[int, str]]:
    """Prompts with their reasons: the reasons take turns, and the list is then put in the order of the reasons."""
    chance = np.random.default_rng(seed).permutation(scored.layout.n_prompts)
    flat, gap = scored.zero_spread, scored.gap
    queues = [
        _ordered(consequential & ~flat, (chance, scored.tied_size, -standing.apart, -standing.gain)),
        _ordered((standing.unfixable > 0) & ~flat, (chance, -standing.unfixable)),
        _ordered(scored.is_unique, (chance, gap, -standing.near_apart)),
    ]
    last = _ordered(consequential & flat, (chance, scored.tied_size, -standing.apart, -standing.gain))
    turns = chain.from_iterable(zip_longest(*queues))
    numbered = [(prompt, number % len(queues)) for number, prompt in enumerate(turns) if prompt is not None]
    taken: dict[int, int] = {}
    for prompt, kind in [*numbered, *((prompt, len(queues)) for prompt in last)]:
        if len(taken) == limit:
            break
        taken.setdefault(prompt, kind)
    near = WITHIN_NOISE if standing.reach_is_noise else SMALL_MARGIN
    reasons = (CONSEQUENTIAL, WORSE, near, NO_SIGNAL)
    listed = sorted(taken.items(), key=lambda item: item[1])
    return [
        (prompt, SMALL_MARGIN if reasons[kind] == WITHIN_NOISE and gap[prompt] > standing.reach else reasons[kind])
        for prompt, kind in listed
    ]


def _ordered(member: Bool[np.ndarray, " prompts"], keys: tuple[np.ndarray, ...]) -> list[int]:
    """Members in the order of the keys, the last key first."""
    chosen: Int64[np.ndarray, " chosen"] = np.flatnonzero(member)
    return chosen[np.lexsort([key[chosen] for key in keys])].tolist()


def _observed_range(aspect: Aspect) -> float:
    seen = aspect.scores[~np.isnan(aspect.scores)]
    return float(np.ptp(seen)) if len(seen) and np.ptp(seen) > 0 else 1.0
