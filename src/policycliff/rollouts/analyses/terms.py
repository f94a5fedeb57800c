"""What each component adds to the effective reward, completion by completion (Lemma 4.2)."""

import numpy as np

from policycliff.rollouts.normalised import normalised_within
from policycliff.rollouts.scores import Scored
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

    As in TRL, what is missing adds nothing to the sum, also where components are normalised first.

    Args:
        scores: Of the rows that have an effective reward.
        offsets: First row of each prompt.
        settings: Say what a missing score counts, and whether components are normalised within the prompt.
    """
    normalise = settings.aggregation == "normalize_then_sum"
    values = normalised_within(scores, offsets, settings.epsilon).terms if normalise else scores
    return np.nan_to_num(values, nan=0.0) if settings.missing == "zero" else values
