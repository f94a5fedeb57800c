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
from functools import partial
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.competing import Contest, describe
from policycliff.rollouts.analyses.degeneracy import Aspect, aspect_range, behaviour_means, within_noise
from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.analyses.queues import (
    CONSEQUENTIAL,
    NEAREST,
    NO_SIGNAL,
    QUIET,
    SMALL_MARGIN,
    WITHIN_NOISE,
    WORSE,
    Entry,
    chosen,
    first_of,
    joined,
)
from policycliff.rollouts.leaves import After, Figure, tally
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class View:
    """How the prompts are looked at; the same for every part of a table but for the prompts' own numbers.

    Attributes:
        noise: Of the effective reward.
        scale: Its scale within a prompt.
        spans: Greatest less least value of every aspect in the whole table.
        has_truth: Whether the first aspect is the truth.
        limit: How many prompts to list.
        seed: Of the order of what is equal otherwise.
        numbers: (groups,) number of each group in the whole table.
        chance: (groups,) place of each group in a random order of them all.
    """

    noise: Noise
    scale: float
    spans: dict[str, float]
    has_truth: bool
    limit: int
    seed: int
    numbers: Int64[np.ndarray, " groups"]
    chance: Int64[np.ndarray, " groups"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the prompts stand.

    Attributes:
        near: (behaviours,) in contention: within the noise of the best, or within reach of an error of a tenth of the
            within-prompt scale where the noise is not known.
        gain: (prompts,) truth that the right tie-breaker gains over a random pick; 0 without a truth.
        unfixable: (prompts,) truth of the best sample beyond that of the best set; 0 without a truth.
        apart: (prompts,) greatest difference of another column over the best set, relative to the column's range.
        near_apart: (prompts,) the same over the behaviours in contention, for the truth if there is one.
    """

    near: Bool[np.ndarray, " behaviours"]
    gain: Float64[np.ndarray, " prompts"]
    unfixable: Float64[np.ndarray, " prompts"]
    apart: Float64[np.ndarray, " prompts"]
    near_apart: Float64[np.ndarray, " prompts"]


def boundary_prompts(
    table: RolloutTable,
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspects: list[Aspect],
    view: View,
) -> After:
    """The prompts to look at, each with its competing completions, their scores and the reason it is here."""
    near_reason = WITHIN_NOISE if view.noise.sigma else SMALL_MARGIN
    add = partial(joined, limit=view.limit)
    if scored.layout.n_prompts == 0:
        found = {"queues": Figure({}, add, dict), "counts": tally({})}
        return After(partial(chosen, limit=view.limit, near_reason=near_reason), found)
    standing = _standing(scored, aspects, view)
    members = _queues(scored, consequential, standing, view)
    listed = {prompt for _, queue in members.values() for prompt in queue}
    truth = aspects[0] if view.has_truth else None
    ranges = {aspect.name: aspect_range(scored, aspect) for aspect in aspects}
    contest = Contest(scored, aspects, truth, ranges, standing.near)
    described = {prompt: _described(table, contest, standing, view, prompt) for prompt in listed}
    queues = {
        name: [
            Entry(tuple(float(key[prompt]) for key in reversed(keys)), _number(scored, view, prompt), described[prompt])
            for prompt in queue
        ]
        for name, (keys, queue) in members.items()
    }
    counts = _reason_counts(scored, consequential, standing, near_reason)
    found = {"queues": Figure(queues, add, dict), "counts": tally(counts)}
    return After(partial(chosen, limit=view.limit, near_reason=near_reason), found)


def _number(scored: Scored, view: View, prompt: int) -> int:
    return int(view.numbers[scored.layout.prompts[prompt]])


def _described(table: RolloutTable, contest: Contest, standing: Standing, view: View, prompt: int) -> dict[str, Any]:
    """One prompt; equal behaviours come in an order of its own, whatever part of the table it is in."""
    rng = np.random.default_rng([view.seed, _number(contest.scored, view, prompt)])
    return describe(table, contest, prompt, rng) | _stakes(contest, standing, prompt)


def _standing(scored: Scored, aspects: list[Aspect], view: View) -> Standing:
    nothing = np.zeros(scored.layout.n_prompts)
    if view.noise.sigma:
        near = within_noise(scored, view.noise.sigma)
    else:
        # An error of e closes a gap of 2 e: best down, rival up.
        reach = 2.0 * 0.1 * view.scale
        near = scored.best_value[scored.layout.prompt_of_behaviour] - scored.values <= reach
    gain, unfixable = _against_truth(scored, aspects[0]) if view.has_truth else (nothing, nothing)
    return Standing(
        near,
        gain,
        unfixable,
        apart=_widest(scored, aspects, scored.best, view.spans),
        near_apart=_widest(scored, aspects[:1] if view.has_truth else aspects, near, view.spans),
    )


def _widest(
    scored: Scored, aspects: list[Aspect], among: Bool[np.ndarray, " behaviours"], spans: dict[str, float]
) -> Float64[np.ndarray, " prompts"]:
    """Greatest difference among behaviours in any of the columns, relative to the column's observed range."""
    ranges = [aspect_range(scored, aspect, among) / (spans[aspect.name] or 1.0) for aspect in aspects]
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


def _queues(
    scored: Scored, consequential: Bool[np.ndarray, " prompts"], standing: Standing, view: View
) -> dict[str, tuple[tuple[np.ndarray, ...], list[int]]]:
    """For each reason the keys of its order, the last one first, and the first prompts in this order."""
    flat, worse, chance = scored.zero_spread, standing.unfixable > 0, view.chance[scored.layout.prompts]
    near = scored.is_unique & ~worse & (segment_sum(standing.near, scored.layout.behaviour_offsets) > 1)
    ties = (chance, scored.tied_size, -standing.apart, -standing.gain)
    close = (chance, scored.gap)
    members = {
        CONSEQUENTIAL: (consequential & ~flat, ties),
        WORSE: (worse & ~flat, (chance, -standing.unfixable)),
        WITHIN_NOISE: (near & (standing.near_apart > 0), (*close, -standing.near_apart)),
        QUIET: (near & (standing.near_apart == 0), close),
        NO_SIGNAL: (consequential & flat, ties),
        NEAREST: (scored.is_unique & ~worse & ~near, close),
    }
    return {name: (keys, first_of(member, keys, view.limit)) for name, (member, keys) in members.items()}


def _reason_counts(
    scored: Scored, consequential: Bool[np.ndarray, " prompts"], standing: Standing, near_reason: str
) -> dict[str, int]:
    """How many prompts could have been listed for each reason."""
    flat, worse = scored.zero_spread, standing.unfixable > 0
    near = scored.is_unique & (segment_sum(standing.near, scored.layout.behaviour_offsets) > 1)
    return {
        CONSEQUENTIAL: int((consequential & ~flat).sum()),
        WORSE: int((worse & ~flat).sum()),
        near_reason: int(near.sum()),
        NO_SIGNAL: int((consequential & flat).sum()),
        NEAREST: int((scored.is_unique & ~near).sum()),
    }


def _stakes(contest: Contest, standing: Standing, prompt: int) -> dict[str, Any]:
    """What is at stake in a prompt, in units of the truth; None without a truth."""
    offsets = contest.scored.layout.behaviour_offsets
    known = contest.truth is not None
    return {
        "in_contention": int(standing.near[offsets[prompt] : offsets[prompt + 1]].sum()),
        "tie_breaker_gain": float(standing.gain[prompt]) if known else None,
        "unfixable": float(standing.unfixable[prompt]) if known else None,
    }
