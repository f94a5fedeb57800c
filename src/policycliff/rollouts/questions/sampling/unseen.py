"""What further draws would bring: estimates from the draws at hand, under exchangeability alone.

Leaving one of n exchangeable draws out and looking at it afterwards is what a further draw after n - 1 is. So the share
of draws that show a behaviour alone (Good-Turing) is an unbiased estimate of the chance that the nth draw shows a new
behaviour; in the same way the chance that it beats the best, ties it, or changes the set of the best. A draw beats the
best of n - 1 others with probability 1 / n at most, whatever the policy and the reward.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.group_size import levels_of
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_sum


def unseen_figures(scored: Scored) -> dict[str, Any]:
    """Chances of the last draw given the others, as means over prompts, and the distinct behaviours to come."""
    layout = scored.layout
    prompts, size, offsets = layout.prompts, layout.group_sizes, layout.behaviour_offsets
    once = layout.draws == 1
    levels = levels_of(scored)
    at_top = levels.at[levels.offsets[1:] - 1]
    chances = {
        "new_behaviour": segment_sum(once, offsets) / size,
        "beats_best": np.where(at_top == 1, 1.0 / size, 0.0),
        "ties_best": np.where(at_top > 1, at_top / size, 0.0),
        "changes_best_set": segment_sum(once & scored.best, offsets) / size,
    }
    return {name: mean_over(prompts, values, lowest=0.0, highest=1.0) for name, values in chances.items()} | {
        "beats_best_bound": float((1.0 / size).mean()),
        "beyond_beats_best_bound": float((1.0 / (size + 1.0)).mean()),
        "behaviours_seen": mean_over(prompts, layout.n_behaviours.astype(np.float64)),
        # Each further draw is new with at most the chance of the last: n of them bring no more than n times that.
        "new_in_as_many_again_at_most": mean_over(prompts, segment_sum(once, offsets).astype(np.float64), lowest=0.0),
    }
