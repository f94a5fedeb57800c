"""What two rewards choose on the same completions, prompt by prompt.

A reward's choice is a draw from its best behaviours, as often as the sampler drew each. Regret is what the choice of
one reward gives up in the other, and is 0 exactly where every best behaviour of one is best for the other too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import Share, mean_over, share
from policycliff.rollouts.questions.compare.permutation import difference
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_any, segment_max, segment_mean, segment_min, segment_sum
from policycliff.shapes import Bool, Float64


@dataclass(frozen=True, slots=True)
class Regret:
    """What choices give up in the units of one reward; a share is of the prompt's range, 0 where it has none.

    `chosen`: the choice of the other reward; `worst`: the worst of its best behaviours; `random`: any completion.
    """

    chosen: Float64[np.ndarray, " prompts"]
    worst: Float64[np.ndarray, " prompts"]
    random: Float64[np.ndarray, " prompts"]
    ranges: Float64[np.ndarray, " prompts"]

    def share(self, name: str) -> Float64[np.ndarray, " prompts"]:
        """One of the three as a share of the prompt's range."""
        values = getattr(self, name)
        return np.divide(values, self.ranges, out=np.zeros(len(values)), where=self.ranges > 0)

    def in_usual_ranges(self) -> Float64[np.ndarray, " prompts"]:
        """What is given up, in units of the mean range: comparable between rewards, and not large for being narrow."""
        usual = float(self.ranges.mean())
        return self.chosen / usual if usual > 0 else self.chosen


def regret(judge: Scored, chooser: Scored) -> Regret:
    """Regret under `judge` of choosing by `chooser`."""
    offsets, layout = judge.layout.behaviour_offsets, judge.layout
    lost = judge.best_value[layout.prompt_of_behaviour] - judge.values
    draws = np.where(chooser.best, layout.draws, 0)
    return Regret(
        chosen=segment_sum(draws * lost, offsets) / segment_sum(draws, offsets),
        worst=segment_max(np.where(chooser.best, lost, 0.0), offsets),
        random=segment_sum(layout.draws * lost, offsets) / layout.group_sizes,
        ranges=segment_max(lost, offsets),
    )


def regret_figures(found: Regret, judge: Scored) -> dict[str, Any]:
    """Means over prompts, in reward units and as shares of the range; the shares over prompts that have a range."""
    prompts, spread = judge.layout.prompts, found.ranges > 0
    names = ("chosen", "worst", "random")
    return {
        **{name: mean_over(prompts, getattr(found, name), lowest=0.0) for name in names},
        **{
            f"{name}_share": mean_over(prompts[spread], found.share(name)[spread], lowest=0.0, highest=1.0)
            for name in names
        },
        "prompts_with_range": int(spread.sum()),
    }


def disjoint(one: Scored, two: Scored) -> Bool[np.ndarray, " prompts"]:
    """Prompts in which no behaviour is best for both."""
    return ~segment_any(one.best & two.best, one.layout.behaviour_offsets)


def moves(one: Scored, two: Scored) -> dict[str, Share]:
    """Shares of prompts by what happens to the best set from one reward to the other."""
    offsets = one.layout.behaviour_offsets
    return {
        "changes": share(segment_any(one.best != two.best, offsets)),
        "disjoint": share(disjoint(one, two)),
        "b_adds": share(segment_any(two.best & ~one.best, offsets)),
        "a_adds": share(segment_any(one.best & ~two.best, offsets)),
        "tied_to_unique": share(one.is_tied & two.is_unique),
        "unique_to_tied": share(one.is_unique & two.is_tied),
        "tied_in_both": share(one.is_tied & two.is_tied),
    }


def top_pair(one: Scored, two: Scored) -> dict[str, Share]:
    """Over prompts with a unique best under `one`: whether some runner-up passes it under `two`, or draws level."""
    where, offsets = one.layout.prompt_of_behaviour, one.layout.behaviour_offsets
    runner_up = one.values == one.next_value[where]
    rival = segment_max(np.where(runner_up, two.values, -np.inf), offsets)
    winner = segment_max(np.where(one.best, two.values, -np.inf), offsets)
    asked = one.is_unique
    return {"flipped": share((rival > winner)[asked]), "tied": share((rival == winner)[asked])}


def standardised_margin(scored: Scored) -> Float64[np.ndarray, " prompts"]:
    """Best value less the next, in standard deviations of the prompt; 0 where tied, NaN where one behaviour stands."""
    margin = np.where(scored.is_tied, 0.0, np.where(np.isfinite(scored.gap), scored.gap, np.nan))
    return np.divide(margin, scored.spread, out=np.where(scored.is_tied, 0.0, np.nan), where=scored.spread > 0)


def standardised_lead(scored: Scored) -> Float64[np.ndarray, " prompts"]:
    """Best value less the mean completion, in standard deviations of the prompt; 0 without spread."""
    lead = scored.best_value - segment_mean(scored.scores, scored.layout.row_offsets)
    return np.divide(lead, scored.spread, out=np.zeros(len(lead)), where=~scored.zero_spread & (scored.spread > 0))


def truth_of_choice(scored: Scored, truth: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " prompts"]:
    """Mean truth of the reward's choice; `truth` is that of the layout's rows, without NaN."""
    layout = scored.layout
    chosen = np.repeat(scored.best, layout.draws)
    offsets = layout.row_offsets
    low = segment_min(np.where(chosen, truth, np.inf), offsets)
    excess = np.where(chosen, truth - low[layout.prompt_of_row], 0.0)
    return low + segment_sum(excess, offsets) / segment_sum(chosen, offsets)


def changes(
    one: Scored, two: Scored
) -> dict[str, tuple[Float64[np.ndarray, " prompts"], Float64[np.ndarray, " prompts"]]]:
    """Statistics of both rewards that no unit enters, so that swapping the rewards within a prompt means something."""
    floats = [(name, *(getattr(item, name).astype(np.float64) for item in (one, two))) for name in FLAGS]
    pairs = {name: (first, second) for name, first, second in floats}
    return pairs | {
        "margin": (standardised_margin(one), standardised_margin(two)),
        "lead": (standardised_lead(one), standardised_lead(two)),
    }


FLAGS = ("is_tied", "zero_spread")


def known_difference(
    first: Float64[np.ndarray, " prompts"], second: Float64[np.ndarray, " prompts"]
) -> Float64[np.ndarray, " known"]:
    """Second minus first over the prompts where both are numbers."""
    known = np.isfinite(first) & np.isfinite(second)
    return difference(first[known], second[known])
