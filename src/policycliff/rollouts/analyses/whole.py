"""What must be known of the whole table before its parts can be audited one by one: noise, scales, ranges, group sizes.

`survey` says it of one part as figures that add up, `whole_table` makes it of the finished figures of all parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.counts import skipped_rows
from policycliff.rollouts.analyses.group_size import common_group_size
from policycliff.rollouts.analyses.noise import (
    NOISE_MARGIN,
    Noise,
    column_evidence,
    column_noise,
    effective_evidence,
    effective_noise,
)
from policycliff.rollouts.analyses.normalisation import main_reward_name
from policycliff.rollouts.analyses.price import TruthRange
from policycliff.rollouts.analyses.radius import scale_figures, scale_of_figures
from policycliff.rollouts.leaves import every, expanded, greatest, least, median_or_none, tally, tally_of, total
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class WholeReward:
    """What must be known of one reward.

    Attributes:
        prompts: Number of prompts with at least two of its scores.
        largest_group: Most completions of such a prompt.
        common_group_size: Group size that most of them reach.
        score_range: Least and greatest score among them.
        scale: Its scale within a prompt, and what that is.
    """

    prompts: int
    largest_group: int
    common_group_size: int
    score_range: Range
    scale: tuple[float, str]


@dataclass(frozen=True, slots=True)
class WholeTable:
    """What must be known of all rows.

    Attributes:
        prompts: Number of prompts.
        rewards: By name, the effective reward among them.
        noises: Noise of each of them.
        beta: KL coefficient at which policies are compared, and where it is from.
        reward_error: Error that the advice guards against, and where it is from.
        spans: Greatest less least score of every reward column and of the truth.
        main_range: Least and greatest score of the main reward, turned so that larger is better.
        truth: Of the completions that have an effective reward and a truth; None without a truth.
        steps: The distinct training steps in order; empty without a step column.
    """

    prompts: int
    rewards: dict[str, WholeReward]
    noises: dict[str, Noise]
    beta: tuple[float, str]
    reward_error: tuple[float, str]
    spans: dict[str, float]
    main_range: Range
    truth: TruthRange | None
    steps: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What every part of a table is audited by.

    Attributes:
        settings: What is asked.
        whole: What is known of the whole.
        threads: How many rewards to look at at a time.
    """

    settings: AuditSettings
    whole: WholeTable
    threads: int


def survey(table: RolloutTable, rewards: Rewards, settings: AuditSettings) -> dict[str, Any]:
    """The figures of one part, a tree without shares and means."""
    scored = {name: rewards.scorer(rewards.named(name)) for name in rewards.names}
    main, columns = scored[EFFECTIVE], (*table.rewards, *([] if table.truth is None else [table.truth]))
    evidence = {name: column_evidence(table, reward, settings) for name, reward in rewards.columns.items()}
    main_reward = rewards.columns[main_reward_name(settings, rewards.weights)]
    return {
        "prompts": total(table.n_groups),
        "group_sizes": tally_of(np.diff(table.offsets)),
        "rewards": {
            name: {
                "sizes": tally_of(item.layout.group_sizes),
                "range": _range(item.scores),
                "scale": scale_figures(item),
            }
            for name, item in scored.items()
        },
        "evidence": evidence | {EFFECTIVE: effective_evidence(table, rewards.effective, settings)},
        "spread": every(main.spread[~main.zero_spread] if main.layout.n_prompts else np.zeros(0), median_or_none),
        "seen": {column.name: _range(column.scores) for column in columns},
        "main": _range(main_reward.scores),
        "truth": _truth_survey(rewards),
        "steps": _steps(table),
        "skipped": skipped_rows(table),
    }


def whole_table(found: Mapping[str, Any], weights: Mapping[str, float], settings: AuditSettings) -> WholeTable:
    """From the finished figures of all parts."""
    noises = {name: column_noise(name, found["evidence"][name], settings) for name in weights}
    components = tuple((name, weight) for name, weight in weights.items() if weight != 0.0)
    noises[EFFECTIVE] = effective_noise(components, noises, found["evidence"][EFFECTIVE], settings)
    rewards = {name: _whole_reward(figures) for name, figures in found["rewards"].items()}
    seen = {name: _as_range(figures) for name, figures in found["seen"].items()}
    return WholeTable(
        prompts=found["prompts"],
        rewards=rewards,
        noises=noises,
        beta=_beta(found["spread"], settings),
        reward_error=_reward_error(rewards[EFFECTIVE].scale[0], noises[EFFECTIVE], settings),
        spans={name: max(high - low, 0.0) for name, (low, high) in seen.items()},
        main_range=_as_range(found["main"]),
        truth=_truth_range(found["truth"]),
        steps=_in_order(found["steps"]),
    )


def _range(scores: Float64[np.ndarray, " n"]) -> dict[str, Any]:
    known = scores[~np.isnan(scores)]
    return {"least": least(known), "greatest": greatest(known)}


def _as_range(figures: Mapping[str, Any]) -> Range:
    """(inf, -inf) where nothing was seen."""
    if figures["least"] is None:
        return np.inf, -np.inf
    return figures["least"], figures["greatest"]


def _truth_survey(rewards: Rewards) -> dict[str, Any] | None:
    if rewards.truth is None:
        return None
    layout = rewards.scorer(rewards.effective, rewards.truth).layout
    return {"sizes": tally_of(layout.group_sizes), "range": _range(rewards.truth.scores[layout.rows])}


def _truth_range(figures: Mapping[str, Any] | None) -> TruthRange | None:
    if figures is None:
        return None
    return TruthRange(_as_range(figures["range"]), common_group_size(expanded(figures["sizes"])))


def _whole_reward(figures: Mapping[str, Any]) -> WholeReward:
    sizes = expanded(figures["sizes"])
    return WholeReward(
        prompts=len(sizes),
        largest_group=int(sizes.max(initial=1)),
        common_group_size=common_group_size(sizes),
        score_range=_as_range(figures["range"]),
        scale=scale_of_figures(figures["scale"]),
    )


def _beta(spread: float | None, settings: AuditSettings) -> tuple[float, str]:
    if settings.beta is not None:
        return settings.beta, "given"
    if spread is None:
        return 1.0, "no prompt has spread: 1"
    return spread, "median within-prompt standard deviation of the effective reward"


def _reward_error(scale: float, noise: Noise, settings: AuditSettings) -> tuple[float, str]:
    if settings.reward_error is not None:
        return settings.reward_error, "given"
    if noise.sigma:
        return NOISE_MARGIN * noise.sigma, f"{NOISE_MARGIN} standard deviations of the noise ({noise.origin})"
    return 0.1 * scale, "a tenth of the within-prompt scale"


def _steps(table: RolloutTable) -> Any:
    if "__step" not in table.frame.columns:
        return tally({})
    steps = table.frame["__step"].gather(table.offsets[:-1])
    return tally(dict(steps.value_counts(name="groups").iter_rows()))


def _in_order(steps: Mapping[Any, int]) -> tuple[Any, ...]:
    """Numbers by size, else texts; no step comes first."""
    return tuple(pl.Series(list(steps), strict=False).sort(nulls_last=False).to_list()) if steps else ()
