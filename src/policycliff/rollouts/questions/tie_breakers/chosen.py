"""What is chosen among the tied, and what the chosen are worth."""

import numpy as np

from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_sum
from policycliff.shapes import Bool, Float64


def best_among(
    among: Bool[np.ndarray, " behaviours"], breaker: Scored, main: Scored
) -> Bool[np.ndarray, " behaviours"]:
    """Which of some behaviours of each prompt have the greatest value of the tie-breaker."""
    values = np.where(among, breaker.values, -np.inf)
    return among & (values == segment_max(values, main.layout.behaviour_offsets)[main.layout.prompt_of_behaviour])


def mean_over_chosen(
    main: Scored, chosen: Bool[np.ndarray, " behaviours"], values: Float64[np.ndarray, " behaviours"]
) -> Float64[np.ndarray, " prompts"]:
    """Mean of the chosen completions of each prompt, each as likely; NaN where a chosen behaviour has no value."""
    offsets, draws = main.layout.behaviour_offsets, np.where(chosen, main.layout.draws, 0)
    return segment_sum(np.where(chosen, draws * values, 0.0), offsets) / segment_sum(draws, offsets)
