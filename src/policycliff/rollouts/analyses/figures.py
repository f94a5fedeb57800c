"""The figures of one reward, put together in the order of the reward-policy map: ties, distance, noise, gain, group
size.

Every share and mean in the trees built here is still a `Share` or a `Mean`; `with_intervals` resolves them at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, consequences, degeneracy
from policycliff.rollouts.analyses.flips import Simulation, affordable_draws, flips, rerun_check
from policycliff.rollouts.analyses.group_size import group_size_curve
from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.analyses.normalisation import gain_figures
from policycliff.rollouts.analyses.radius import distance_to_cliff
from policycliff.rollouts.analyses.whole import Known
from policycliff.rollouts.leaves import Nothing, total
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool


@dataclass(frozen=True, slots=True)
class RewardAudit:
    """One reward's figures, and what the later analyses read of it."""

    reward: Reward
    scored: Scored
    noise: Noise
    consequential: Bool[np.ndarray, " prompts"]
    figures: Any


def audit_reward(
    table: RolloutTable,
    rewards: Rewards,
    name: str,
    known: Known,
    *,
    seed: int | tuple[int, int],
) -> RewardAudit:
    """All figures of one reward over the prompts of a part of the table that have at least two of its scores.

    Args:
        table: The part.
        rewards: All rewards on it.
        name: Which one, or `EFFECTIVE`.
        known: What is asked, and what is known of the other parts.
        seed: Of the noise's simulation in this part.
    """
    settings, whole = known.settings, known.whole
    reward, noise, of_all = rewards.named(name), whole.noises[name], whole.rewards[name]
    scorer, aspects = rewards.scorer, aspects_of(table, whole.noises, leave_out=name)
    scored = scorer(reward)
    layout = scored.layout
    better = "larger" if reward.sign > 0 else "smaller"
    head: dict[str, Any] = {
        "weight": rewards.weights.get(name),
        "better": better,
        "completions": total(len(layout.rows)),
        "noise": noise.to_dict(),
    }
    if layout.n_prompts == 0:
        note = {"prompts": 0, "note": "no prompt has two completions with this score"}
        return RewardAudit(reward, scored, noise, np.zeros(0, dtype=bool), Nothing(head | note))
    ties, consequential = consequences(scored, aspects, by_behaviour=settings.behaviour)
    largest = max_reward_of(reward, settings)
    simulation = Simulation(affordable_draws(of_all.prompts, of_all.largest_group), seed)
    figures = {
        **head,
        **degeneracy(scored, sigma=noise.sigma, max_reward=largest, score_range=of_all.score_range),
        **ties,
        **distance_to_cliff(scored, of_all.scale),
        **flips(scored, noise, simulation),
        "rerun": rerun_check(table, scorer, reward, noise, simulation),
        **gain_figures(scored, noise, epsilon=settings.epsilon),
        "group_size": group_size_curve(scored, of_all.common_group_size),
        "unresolved_rows": total(reward.unresolved),
    }
    return RewardAudit(reward, scored, noise, consequential, figures)


def aspects_of(table: RolloutTable, noises: Mapping[str, Noise], *, leave_out: str) -> list[Aspect]:
    """What tied behaviours can differ in: the truth, then the rewards but the one at hand."""
    truth = [] if table.truth is None else [Aspect(table.truth.name, table.truth.scores)]
    others = [column for column in table.rewards if column.name != leave_out]
    return truth + [Aspect(column.name, column.scores, noises[column.name].sigma or 0.0) for column in others]


def max_reward_of(reward: Reward, settings: AuditSettings) -> float | None:
    """Greatest possible value of the reward, turned round with it; None if it was not given."""
    given = dict(settings.max_reward).get(reward.name)
    return None if given is None else reward.sign * given
