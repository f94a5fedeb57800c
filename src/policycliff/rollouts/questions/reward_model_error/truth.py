"""The ensemble beside the truth: what its picks are worth, and whether its disagreement warns where it errs."""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.price import price_of_degeneracy
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.questions.reward_model_error.disagreement import left_out_disjoint, unanimous
from policycliff.rollouts.questions.reward_model_error.ensemble import Ensemble
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import average_ranks, segment_correlation, segment_max, segment_min, sort_within
from policycliff.rollouts.table import ScoreColumn
from policycliff.shapes import Bool, Float64


def truth_figures(ensemble: Ensemble, column: ScoreColumn) -> dict[str, Any]:
    """Truth of what each member and the mean pick, and what the picks lose by how far the members agree.

    `ensemble` is on completions that have a truth.
    """
    layout, truth = ensemble.layout, column.scores[ensemble.layout.rows]
    low, high = float(truth.min()), float(truth.max())
    price = price_of_degeneracy(ensemble.mean, truth)
    decidable = segment_max(truth, layout.row_offsets) > segment_min(truth, layout.row_offsets)
    picks = {name: price_of_degeneracy(s, truth).mean for name, s in zip(ensemble.names, ensemble.members, strict=True)}
    picks |= {"mean of the members": price.mean}
    levels = {"no reward: any completion": price.sampling, **picks, "the best completion there is": price.largest}
    loss = price.largest - price.mean
    return {
        "column": column.name,
        "prompts": layout.n_prompts,
        "decidable_prompts": int(decidable.sum()),
        "picks": [
            {"picked_by": name, "truth": mean_over(layout.prompts, values, lowest=low, highest=high)}
            for name, values in levels.items()
        ],
        "correlations": [
            {"member": name, "spearman": _correlation(member, truth)}
            for name, member in zip([*ensemble.names, "mean"], [*ensemble.members, ensemble.mean], strict=True)
        ],
        "by_agreement": [
            _stratum(name, layout.prompts, kept & decidable, loss, high - low)
            for name, kept in _strata(ensemble).items()
        ],
    }


def _strata(ensemble: Ensemble) -> dict[str, Bool[np.ndarray, " prompts"]]:
    """Prompts by how far the members agree."""
    dissenters = left_out_disjoint(ensemble).sum(axis=0)
    agreed = unanimous(ensemble)
    most = ~agreed & (2 * dissenters < ensemble.size)
    return {
        "all members share a best behaviour": agreed,
        "fewer than half of them differ from the rest": most,
        "half of them or more differ from the rest": ~agreed & ~most,
    }


def _stratum(
    name: str,
    prompts: np.ndarray,
    kept: Bool[np.ndarray, " prompts"],
    loss: Float64[np.ndarray, " prompts"],
    span: float,
) -> dict[str, Any]:
    return {
        "agreement": name,
        "prompts": int(kept.sum()),
        "wrong_share": share(loss[kept] > 0),
        "truth_lost": mean_over(prompts[kept], loss[kept], lowest=0.0, highest=span),
    }


def _correlation(scored: Scored, truth: Float64[np.ndarray, " rows"]) -> Any:
    layout = scored.layout
    ranks = average_ranks(truth, layout.row_offsets, sort_within(truth, layout.row_offsets))
    values = segment_correlation(scored.ranks, ranks, layout.row_offsets)
    return mean_over(layout.prompts, values, lowest=-1.0, highest=1.0)
