"""Walls and curves of one class's proportion."""

from fractions import Fraction

import numpy as np

from policycliff.rollouts.analyses.weights import walls
from policycliff.rollouts.intervals import wilson
from policycliff.rollouts.layout import layout_of
from policycliff.rollouts.questions.mixture.effective import mixed_reward, shared_part
from policycliff.rollouts.questions.mixture.resample import averages
from policycliff.rollouts.questions.mixture.study import Study, summarised
from policycliff.rollouts.questions.mixture.sweep import GRID, ProportionWalls, changed, proportion_walls
from policycliff.rollouts.scores import Scored, score
from policycliff.rollouts.segments import segment_of


def class_walls(study: Study, number: int) -> tuple[Scored, ProportionWalls] | None:
    """Walls of a class's proportion at the prompts that it shares with others; None where it shares none."""
    table, member = study.mixing.table, study.mixing.classes.member
    groups = np.zeros(table.n_groups, dtype=bool)
    groups[study.layout.prompts] = True
    groups &= study.mixing.classes.shared & member[:, number]
    if not groups.any():
        return None
    rows = np.zeros(table.n_rows, dtype=bool)
    rows[study.layout.rows] = True
    layout = layout_of(table, rows & groups[segment_of(table.offsets)])
    scored = score(mixed_reward(study.mixing, study.share()), layout)
    part = shared_part(study.mixing, study.share(), number, layout)
    return scored, proportion_walls(walls(scored, part), float(study.proportions[number]))


def changed_curve(study: Study, found: ProportionWalls, number: int) -> list[dict[str, float]]:
    """Share of all prompts whose best set is another one, at each proportion of a class."""
    total, present = study.layout.n_prompts, float(study.proportions[number])
    counts = [changed(found, present, at) for at in GRID.tolist()]
    bounds = [wilson(count, total) for count in counts]
    return [
        {"value": count / total, "low": low, "high": high} for count, (low, high) in zip(counts, bounds, strict=True)
    ]


def average_curve(study: Study, number: int, name: str) -> list[dict[str, float | None]]:
    """A headline figure at each proportion of a class, the others keeping their ratios; without shared prompts."""
    row, present = study.measure.names.index(name), study.proportions[number]
    curve = []
    for at in GRID.tolist():
        goal = Fraction(str(at))
        factors = [goal / present if k == number else (1 - goal) / (1 - present) for k in range(len(study.prompts))]
        share_of = [value * factor for value, factor in zip(study.share(), factors, strict=True)]
        draws = averages(study.totals, study.mass(share_of))[:, row]
        curve.append(summarised(study, name, row, draws, study.effective_prompts(share_of)))
    return curve
