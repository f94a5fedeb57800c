"""All figures of the question: the classes, the mixture, each class left out, and the walls of the proportions."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout, layout_of
from policycliff.rollouts.questions.mixture.effective import mixed_reward
from policycliff.rollouts.questions.mixture.headline import CHANCE, SHARES, TRUTH, Measure, headline
from policycliff.rollouts.questions.mixture.mixing import Mixing
from policycliff.rollouts.questions.mixture.resample import Totals, averages, figure_of, resampled_totals
from policycliff.rollouts.scores import Scored, score
from policycliff.rollouts.segments import segment_any
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True)
class Study:
    """A mixture at its proportions. Without slots, so that what is derived is computed once and kept.

    Attributes:
        mixing: What is mixed.
        measure: The headline figures.
        layout: Rows and prompts of the mixture.
        proportions: Of each class, adding up to 1.
        prompts: Number of prompts of each class.
        seed: Of the bootstrap.
    """

    mixing: Mixing
    measure: Measure
    layout: Layout
    proportions: tuple[Fraction, ...]
    prompts: tuple[int, ...]
    seed: int

    @cached_property
    def patterns(self) -> tuple[Bool[np.ndarray, "strata classes"], Int64[np.ndarray, " prompts"]]:
        """The sets of classes in which prompts occur, and the one of each prompt."""
        found, which = np.unique(self.mixing.classes.member[self.layout.prompts], axis=0, return_inverse=True)
        return found, which.reshape(-1)

    @cached_property
    def scored(self) -> Scored:
        """The effective reward of the mixture."""
        return score(mixed_reward(self.mixing, self.share()), self.layout)

    @cached_property
    def values(self) -> Float64[np.ndarray, "figures prompts"]:
        """Headline figures of the prompts of the mixture."""
        return np.stack(list(headline(self.scored, self.measure).values()))

    @cached_property
    def totals(self) -> Totals:
        """Resampled totals of the mixture."""
        return resampled_totals(self.values, self.patterns[1], seed=self.seed)

    def share(self, without: int | None = None) -> list[Fraction]:
        """Probability with which each class draws one of its prompts, up to a factor."""
        pairs = zip(self.proportions, self.prompts, strict=True)
        return [Fraction(0) if number == without else p / n for number, (p, n) in enumerate(pairs)]

    def mass(self, share: list[Fraction]) -> Float64[np.ndarray, " strata"]:
        """Probability of a prompt of each set of classes, up to a factor."""
        return self.patterns[0].astype(np.float64) @ np.array([float(value) for value in share])

    def limits(self, name: str, values: Float64[np.ndarray, " prompts"]) -> tuple[float, float]:
        """Range of a figure: shares between 0 and 1, others as observed, a size from 0."""
        if name in SHARES:
            return 0.0, 1.0
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return 0.0, 0.0
        return (float(known.min()) if name == TRUTH else 0.0), float(known.max())

    def effective_prompts(self, share: list[Fraction]) -> float:
        """Kish's effective number of prompts."""
        each = self.mass(share)[self.patterns[1]]
        return float(each.sum() ** 2 / (each**2).sum())


def mixture_figures(study: Study) -> dict[str, Any]:
    """Headline figures of the mixture."""
    draws = averages(study.totals, study.mass(study.share()))
    effective = study.effective_prompts(study.share())
    return {
        name: summarised(study, name, row, draws[:, row], effective) for row, name in enumerate(study.measure.names)
    }


def class_figures(mixing: Mixing, measure: Measure, number: int) -> dict[str, Any]:
    """Headline figures of a class alone: its own rows under its own reward; shares and means without intervals."""
    reward = mixing.rewards[number]
    layout = layout_of(mixing.table, reward.usable & (mixing.classes.of_row == number))
    head = {"class": mixing.classes.names[number], "prompts": layout.n_prompts, "completions": len(layout.rows)}
    if layout.n_prompts == 0:
        return head | dict.fromkeys(measure.names)
    found = headline(score(reward, layout), measure)
    leaves = {
        name: share(values > 0.0)
        if name in SHARES
        else mean_over(layout.prompts, values, lowest=0.0 if name != TRUTH else None)
        for name, values in found.items()
    }
    return head | leaves


def contributions(study: Study, number: int) -> dict[str, Any]:
    """The class's part of the mixture's ties, of its lost signal and of what is left to chance, each of the whole."""
    mass = study.mass(study.share())
    mine = study.patterns[0][:, number] * float(study.share()[number])
    found: dict[str, Any] = {}
    for row, name in enumerate(study.measure.names):
        if name not in (*SHARES, CHANCE):
            continue
        whole = mass @ study.totals.sums[:, :, row]
        part = mine @ study.totals.sums[:, :, row]
        draws = np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0.0)
        # The part is a figure of the prompts that have any of it, however many others there are.
        counted = float((np.nan_to_num(study.values[row]) > 0.0).sum())
        found[name] = figure_of(draws, lowest=0.0, highest=1.0, prompts=counted)
    return found


def left_out(study: Study, number: int) -> dict[str, Any]:
    """What changes in the headline figures without a class, the others keeping their ratios."""
    without = study.share(without=number)
    totals, moved, opened = _totals_without(study, number, without)
    before = averages(study.totals, study.mass(study.share()))
    after = averages(totals, study.mass(without))
    effective = study.effective_prompts(study.share())
    found: dict[str, Any] = {"class": study.mixing.classes.names[number], "best_changes": moved, "ties_opened": opened}
    for row, name in enumerate(study.measure.names):
        low, high = study.limits(name, study.values[row])
        found[name] = figure_of(
            after[:, row] - before[:, row], lowest=low - high, highest=high - low, prompts=effective
        )
    return found


def _totals_without(study: Study, number: int, without: list[Fraction]) -> tuple[Totals, int, int]:
    """Totals without a class; how many of the prompts that stay have another best set, and how many a wider one."""
    pattern, which = study.patterns
    affected = pattern[which][:, number] & (pattern[which].sum(axis=1) > 1)
    if not affected.any():
        return study.totals, 0, 0
    rows = np.zeros(study.mixing.table.n_rows, dtype=bool)
    rows[study.layout.rows[affected[study.layout.prompt_of_row]]] = True
    layout = layout_of(study.mixing.table, rows)
    scored = score(mixed_reward(study.mixing, without), layout)
    values = study.values.copy()
    values[:, affected] = np.stack(list(headline(scored, study.measure).values()))
    before = study.scored.best[affected[study.layout.prompt_of_behaviour]]
    moved = segment_any(before != scored.best, layout.behaviour_offsets)
    lost = segment_any(before & ~scored.best, layout.behaviour_offsets)
    totals = resampled_totals(values, which, seed=study.seed)
    return totals, int(moved.sum()), int((moved & ~lost).sum())


def summarised(
    study: Study, name: str, row: int, draws: Float64[np.ndarray, " draws"], effective: float
) -> dict[str, float | None]:
    """An average of the mixture with its interval."""
    low, high = study.limits(name, study.values[row])
    return figure_of(draws, lowest=low, highest=high, prompts=effective)
