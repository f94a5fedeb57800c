"""The figures of one training step, by the audit's own code but without its bootstrap and its report."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from policycliff.integrations.live.rows import Rows
from policycliff.rollouts.analyses.degeneracy import consequences
from policycliff.rollouts.analyses.figures import aspects_of, max_reward_of
from policycliff.rollouts.analyses.noise import noise_of_column, noise_of_effective, noisy_spread
from policycliff.rollouts.analyses.normalisation import gains, main_reward_name, phantom_advantages, seen_range
from policycliff.rollouts.analyses.price import price_of_degeneracy
from policycliff.rollouts.reading.groups import sort_rows
from policycliff.rollouts.reading.score_columns import read_scores
from policycliff.rollouts.rewards import Rewards, rewards_of
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_mean
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64

FIGURES = (
    "prompts", "reward_mean", "tied_share", "consequential_share", "zero_spread_share", "gap_mean", "spread_mean",
    "gain_mean", "noise_spread_share", "phantom_share", "truth_mean", "exposure_mean",
)  # fmt: skip
"""Names of all figures; a step has those that it can know."""


def step_figures(rows: Rows, weights: Mapping[str, float], settings: AuditSettings) -> dict[str, float]:
    """The figures of the effective reward over the prompts of the step that have two completions with a reward.

    A figure that the step cannot know is left out: for example the gap where every prompt is tied, or how many ties
    matter where nothing but the reward is known.
    """
    table = step_table(rows)
    rewards = rewards_of(table, dict(weights), settings)
    scored = rewards.scorer(rewards.effective)
    count = scored.layout.n_prompts
    if count == 0:
        return {"prompts": 0.0}
    noises = {name: noise_of_column(table, reward, settings) for name, reward in rewards.columns.items()}
    noises[EFFECTIVE] = noise_of_effective(table, rewards.effective, noises, settings)
    known: dict[str, np.ndarray | None] = {
        "reward_mean": segment_mean(scored.scores, scored.layout.row_offsets),
        "tied_share": scored.is_tied,
        "zero_spread_share": scored.zero_spread,
        "gap_mean": scored.gap[scored.is_unique],
        "spread_mean": scored.spread,
        "gain_mean": gains(scored, settings.epsilon),
        "phantom_share": _phantom(scored, rewards, settings),
        **_truth(rewards),
    }
    if table.truth is not None or len(table.rewards) > 1:
        aspects = aspects_of(table, noises, leave_out=EFFECTIVE)
        known["consequential_share"] = consequences(scored, aspects, by_behaviour=None)[1]
    noisy = noisy_spread(scored, noises[EFFECTIVE])
    known["noise_spread_share"] = None if noisy is None else noisy[~scored.zero_spread]
    means = {name: float(values.mean()) for name, values in known.items() if values is not None and len(values)}
    return {"prompts": float(count)} | {name: means[name] for name in FIGURES if name in means}


def step_table(rows: Rows) -> RolloutTable:
    """The rows in canonical form, as `policycliff.audit` would read them from a file."""
    text = _texts_within_groups(rows)
    order, offsets, behaviour = sort_rows(rows.group, text)
    columns = {name: read_scores(column, role="reward").take(order) for name, column in rows.scores.items()}
    truth = None if rows.truth is None else read_scores(rows.truth, role="truth").take(order)
    return RolloutTable(
        offsets=offsets,
        row_index=order,
        behaviour=behaviour,
        text=text[order],
        rewards=tuple(columns.values()),
        truth=truth,
        reruns={},
        candidates=(),
        source=None,
        frame=pl.DataFrame(),
        duplicate_rows=0,
        skipped=(),
    )


def _texts_within_groups(rows: Rows) -> Int64[np.ndarray, " rows"]:
    """For every row the first one of its group with the same text; a missing text equals no other."""
    texts, numbers = rows.completions, np.arange(len(rows.completions), dtype=np.int64)
    sizes = np.array([-1 if text is None else len(text) for text in texts], dtype=np.int64)
    # To look at lengths first is faster than to read all texts: few of a group are of one length.
    keys = rows.group * (int(sizes.max(initial=0)) + 2) + sizes
    _, place, count = np.unique(keys, return_inverse=True, return_counts=True)
    first: dict[tuple[int, str | None], int] = {}
    for row in np.flatnonzero((count[place] > 1) & (sizes >= 0)).tolist():
        numbers[row] = first.setdefault((int(rows.group[row]), texts[row]), row)
    return numbers


def _phantom(scored: Scored, rewards: Rewards, settings: AuditSettings) -> np.ndarray | None:
    """Whether a shaping term alone ranks the prompt; None where the step cannot tell what failing is."""
    if len(rewards.columns) < 2:
        return None
    main = rewards.columns[main_reward_name(settings, rewards.weights)]
    largest, seen = max_reward_of(main, settings), seen_range(main)
    if largest is None and not seen[0] < seen[1]:
        return None
    return phantom_advantages(scored, main, max_reward=largest, seen=seen)


def _truth(rewards: Rewards) -> dict[str, np.ndarray]:
    if rewards.truth is None:
        return {}
    scored = rewards.scorer(rewards.effective, rewards.truth)
    if scored.layout.n_prompts == 0:
        return {}
    price = price_of_degeneracy(scored, rewards.truth.scores[scored.layout.rows])
    return {"truth_mean": price.sampling, "exposure_mean": price.exposure}
