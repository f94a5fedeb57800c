"""The audit of one part of a table: whole groups, by what is known of the whole table. Most tables are one part."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from policycliff.rollouts.analyses.advice import TrueScores, coefficient_advice, tie_breakers
from policycliff.rollouts.analyses.boundary import View, boundary_prompts
from policycliff.rollouts.analyses.counts import counts_of
from policycliff.rollouts.analyses.degeneracy import Aspect
from policycliff.rollouts.analyses.drop_list import drop_list
from policycliff.rollouts.analyses.figures import (
    RewardAudit,
    aspects_of,
    audit_reward,
    max_reward_of,
)
from policycliff.rollouts.analyses.normalisation import main_reward_name, normalisation_figures, phantom_advantages
from policycliff.rollouts.analyses.pairs import compare_pair, mixed_sources_share
from policycliff.rollouts.analyses.price import truth_figures
from policycliff.rollouts.analyses.sample import drawn_prompts
from policycliff.rollouts.analyses.steps import step_figures
from policycliff.rollouts.analyses.terms import weighted_parts
from policycliff.rollouts.analyses.weights import walls, weight_figures
from policycliff.rollouts.analyses.whole import Known, WholeTable
from policycliff.rollouts.intervals import condensed, n_units
from policycliff.rollouts.leaves import Nothing
from policycliff.rollouts.progress import Progress, within
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.scores import Reward
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the groups of a part stand in the whole table.

    Attributes:
        index: Number of the part.
        numbers: (groups,) number of each group in the whole table, in order of appearance.
        units: (groups,) bootstrap unit of each.
        chance: (groups,) place of each in a random order of all.
    """

    index: int
    numbers: Int64[np.ndarray, " groups"]
    units: Int64[np.ndarray, " groups"]
    chance: Int64[np.ndarray, " groups"]


def audit_part(table: RolloutTable, rewards: Rewards, place: Place, known: Known, report: Progress) -> dict[str, Any]:
    """All figures of a part, as a tree that adds up with those of the others."""
    whole, settings = known.whole, known.settings

    def audit_one(name: str) -> RewardAudit:
        return audit_reward(table, rewards, name, known, seed=(settings.seed, place.index))

    names = rewards.names
    done = partial(within(report, 0.0, 0.6), "rewards")
    audits = dict(zip(names, _each(audit_one, names, done, threads=known.threads), strict=True))
    main = audits[EFFECTIVE]
    pairs = list(combinations(_comparable(rewards), 2))
    beta, _ = whole.beta
    tree: dict[str, Any] = {
        "rewards": {name: item.figures for name, item in audits.items()},
        "pairs": _each(
            lambda pair: compare_pair(rewards.scorer, *pair, beta=beta),
            pairs,
            partial(within(report, 0.6, 0.85), "pairs"),
            threads=known.threads,
        ),
        "mixed_sources_share": mixed_sources_share(table),
        "counts": counts_of(table, main.reward, main.scored),
    }
    report("weights, truth and advice", 0.85)
    tree |= _of_effective(table, rewards, main, known)
    truth_scores = None if table.truth is None else table.truth.scores
    tree["steps"] = step_figures(
        table, main, truth_scores, steps=whole.steps, numbers=place.numbers, epsilon=settings.epsilon
    )
    aspects = aspects_of(table, whole.noises, leave_out=EFFECTIVE)
    view = view_of(table, place, whole, settings)
    tree["prompts_to_look_at"] = boundary_prompts(table, main.scored, main.consequential, aspects, view)
    tree["sample"] = drawn_prompts(table, rewards, view, known)
    return dict(condensed(tree, place.units, units=n_units(whole.prompts)))


def _comparable(rewards: Rewards) -> list[Reward]:
    """Rewards to compare in pairs: each column, their sum where it is another reward, and the truth."""
    is_one_column = len(rewards.effective.components) == 1
    truth = [] if rewards.truth is None else [rewards.truth]
    return [*rewards.columns.values(), *([] if is_one_column else [rewards.effective]), *truth]


def _of_effective(table: RolloutTable, rewards: Rewards, main: RewardAudit, known: Known) -> dict[str, Any]:
    """Weights, truth, normalisation and advice: what is asked of the reward that is trained on."""
    whole, settings = known.whole, known.settings
    scored = main.scored
    main_reward = main_reward_of(rewards, settings)
    truth = None
    if whole.truth is not None and rewards.truth is not None:
        truth = truth_figures(rewards.scorer, main.reward, rewards.truth, whole.truth)
    if scored.layout.n_prompts == 0:
        return {
            "truth": truth,
            **{name: Nothing([]) for name in ("weights", "normalisation", "advice", "drop_list")},
        }
    phantom = None
    if main_reward is not None:
        known_max = max_reward_of(main_reward, settings)
        phantom = phantom_advantages(scored, main_reward, max_reward=known_max, seen=whole.main_range)
    parts = weighted_parts(table, scored, rewards.weights, settings)
    others = [Aspect(column.name, column.scores) for column in (*table.rewards, *table.candidates)]
    true_scores = None if table.truth is None else TrueScores(table.truth.scores, whole.spans[table.truth.name])
    error, origin = whole.reward_error
    return {
        "weights": [weight_figures(name, rewards.weights[name], walls(scored, part)) for name, part in parts.items()],
        "truth": truth,
        "normalisation": normalisation_figures(main_reward, phantom, settings),
        "advice": {
            **coefficient_advice(scored, reward_error=error, origin=origin, max_shift=settings.max_shift),
            "tie_breakers": tie_breakers(scored, main.consequential, others, true_scores),
        },
        "drop_list": drop_list(table, scored, phantom),
    }


def main_reward_of(rewards: Rewards, settings: AuditSettings) -> Reward | None:
    """The reward that a shaping term must not replace; None where there is a single one."""
    if len(rewards.columns) < 2:
        return None
    return rewards.columns[main_reward_name(settings, rewards.weights)]


def view_of(table: RolloutTable, place: Place, whole: WholeTable, settings: AuditSettings) -> View:
    """How the prompts of a part are looked at."""
    return View(
        noise=whole.noises[EFFECTIVE],
        scale=whole.rewards[EFFECTIVE].scale[0],
        spans=whole.spans,
        has_truth=table.truth is not None,
        limit=settings.look_at,
        seed=settings.seed,
        numbers=place.numbers,
        chance=place.chance,
    )


def _each(
    function: Callable[[Item], Result], items: Sequence[Item], done: Callable[[float], None], *, threads: int
) -> list[Result]:
    """Apply a function to each item, some at a time (NumPy works outside the interpreter's lock), in order."""
    results = []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for position, result in enumerate(pool.map(function, items)):
            results.append(result)
            done((position + 1) / len(items))
    return results
