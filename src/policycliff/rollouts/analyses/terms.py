"""What each component adds to the effective reward, completion by completion (Lemma 4.2)."""

import numpy as np

from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import kept_offsets, segment_mean, segment_of, segment_std
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64


def weighted_parts(
    table: RolloutTable, effective: Scored, weights: dict[str, float], settings: AuditSettings
) -> dict[str, Float64[np.ndarray, " rows"]]:
    """What each component adds to the effective reward of the layout's rows, at the present weights."""
    layout = effective.layout
    return {
        column.name: weights[column.name] * terms_of(column.scores[layout.rows], layout.row_offsets, settings)
        for column in table.rewards
        if weights[column.name] != 0.0
    }


def terms_of(
    scores: Float64[np.ndarray, " rows"], offsets: Int64[np.ndarray, " prompts_plus_1"], settings: AuditSettings
) -> Float64[np.ndarray, " rows"]:
    """What a component's weight is multiplied by; NaN where the score is missing and does not count as 0.

    Args:
        scores: Of the rows that have an effective reward.
        offsets: First row of each prompt.
        settings: Say what a missing score counts, and whether components are normalised within the prompt.
    """
    values = np.nan_to_num(scores, nan=0.0) if settings.missing == "zero" else scores
    if settings.aggregation != "normalize_then_sum":
        return values
    # Only a component of weight 0 can be missing here, for it takes no row out of the effective reward.
    known = np.flatnonzero(~np.isnan(values))
    within = kept_offsets(offsets, known)
    where = segment_of(within)
    kept = values[known]
    terms = np.full(len(values), np.nan)
    terms[known] = (kept - segment_mean(kept, within)[where]) / (segment_std(kept, within)[where] + settings.epsilon)
    return terms
