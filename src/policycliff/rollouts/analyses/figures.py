"""The figures of one reward, put together in the order of the reward-policy map: ties, distance, noise, gain, group
size.

Every share and mean in the trees built here is still a `Share` or a `Mean`; `with_intervals` resolves them at the end.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, consequences, degeneracy
from policycliff.rollouts.analyses.flips import flips, rerun_check
from policycliff.rollouts.analyses.group_size import group_size_curve
from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.analyses.normalisation import gain_figures
from policycliff.rollouts.analyses.radius import distance_to_cliff
from policycliff.rollouts.scores import Reward, Scored, Scorer
from policycliff.rollouts.segments import segment_mean, segment_std
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64


@dataclass(frozen=True, slots=True)
class RewardAudit:
    """One reward's figures, and what the later analyses read of it."""

    reward: Reward
    scored: Scored
    noise: Noise
    consequential: Bool[np.ndarray, " prompts"]
    figures: dict[str, Any]


def audit_reward(
    table: RolloutTable,
    scorer: Scorer,
    reward: Reward,
    noise: Noise,
    aspects: list[Aspect],
    *,
    weight: float | None,
    settings: AuditSettings,
) -> RewardAudit:
    """All figures of one reward over the prompts that have at least two of its scores.

    `aspects` is what tied behaviours can differ in; `weight` is None for the effective reward itself.
    """
    scored = scorer(reward)
    layout = scored.layout
    better = "larger" if reward.sign > 0 else "smaller"
    head: dict[str, Any] = {
        "weight": weight,
        "better": better,
        "completions": len(layout.rows),
        "noise": noise.to_dict(),
    }
    if layout.n_prompts == 0:
        note = {"prompts": 0, "note": "no prompt has two completions with this score"}
        return RewardAudit(reward, scored, noise, np.zeros(0, dtype=bool), head | note)
    ties, consequential = consequences(scored, aspects, by_behaviour=settings.behaviour)
    figures = {
        **head,
        **degeneracy(scored, sigma=noise.sigma, max_reward=max_reward_of(reward, settings)),
        **ties,
        **distance_to_cliff(scored),
        **flips(scored, noise, seed=settings.seed),
        "rerun": rerun_check(table, scorer, reward, noise, seed=settings.seed),
        **gain_figures(scored, noise, epsilon=settings.epsilon),
        "group_size": group_size_curve(scored),
        "unresolved_rows": reward.unresolved,
    }
    return RewardAudit(reward, scored, noise, consequential, figures)


def max_reward_of(reward: Reward, settings: AuditSettings) -> float | None:
    """Greatest possible value of the reward, turned round with it; None if it was not given."""
    given = dict(settings.max_reward).get(reward.name)
    return None if given is None else reward.sign * given


def weighted_parts(
    table: RolloutTable, effective: Scored, weights: dict[str, float], settings: AuditSettings
) -> dict[str, Float64[np.ndarray, " rows"]]:
    """What each component adds to the effective reward of the layout's rows, at the present weights."""
    rows, offsets = effective.layout.rows, effective.layout.row_offsets
    where = effective.layout.prompt_of_row
    parts = {}
    for column in table.rewards:
        if weights[column.name] == 0.0:
            continue
        values = column.scores[rows]
        if settings.missing == "zero":
            values = np.nan_to_num(values, nan=0.0)
        if settings.aggregation == "normalize_then_sum":
            spread = segment_std(values, offsets)[where]
            values = (values - segment_mean(values, offsets)[where]) / (spread + settings.epsilon)
        parts[column.name] = weights[column.name] * values
    return parts
