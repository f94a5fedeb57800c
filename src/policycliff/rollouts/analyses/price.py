"""Price of degeneracy: what the ties of the trained-on reward cost in the truth (Prop 3.1 on data, Result 6).

All policies that pick a best behaviour are optimal for the trained-on reward. Their truth lies between the worst and
the best over the tied set: *exposure* is that difference, which an infinitesimal tie-breaker decides. What no
tie-breaker can mend is the difference from the best tied behaviour to the best sampled one: the reward ranks something
else higher.

Prompts without spread are a stratum of their own: a group tied at a common low score is no signal, not a choice.
With n samples the largest sampled truth is below the largest possible one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.group_size import best_of_k, k_grid, levels_of
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.leaves import Nothing, total
from policycliff.rollouts.scores import Reward, Scored, Scorer
from policycliff.rollouts.segments import segment_max, segment_mean, segment_min, segment_sum
from policycliff.shapes import Bool, Float64


@dataclass(frozen=True, slots=True)
class Price:
    """Truth per prompt, in units of the truth column.

    `sampling`: mean over the completions; `best`, `mean`, `worst`: over the tied best set (mean by samples); `largest`:
    over all sampled behaviours.
    """

    sampling: Float64[np.ndarray, " prompts"]
    best: Float64[np.ndarray, " prompts"]
    mean: Float64[np.ndarray, " prompts"]
    worst: Float64[np.ndarray, " prompts"]
    largest: Float64[np.ndarray, " prompts"]

    @property
    def exposure(self) -> Float64[np.ndarray, " prompts"]:
        """Best minus worst: what the tie leaves to chance."""
        return self.best - self.worst

    @property
    def tie_breaker_gain(self) -> Float64[np.ndarray, " prompts"]:
        """Best minus sample-weighted mean: what the right tie-breaker gains over picking at random."""
        return self.best - self.mean

    @property
    def unfixable(self) -> Float64[np.ndarray, " prompts"]:
        """Largest minus best: what no tie-breaker gains."""
        return self.largest - self.best


def price_of_degeneracy(scored: Scored, truth: Float64[np.ndarray, " rows"]) -> Price:
    """Truth of the sampling policy and of the tied best set; `truth` is that of the layout's rows, without NaN."""
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    values = segment_mean(truth, layout.draw_offsets)
    best_draws = np.where(scored.best, layout.draws, 0)
    highest = segment_max(np.where(scored.best, values, -np.inf), offsets)
    lowest = segment_min(np.where(scored.best, values, np.inf), offsets)
    excess = np.where(scored.best, values - lowest[where], 0.0)
    return Price(
        sampling=segment_mean(truth, layout.row_offsets),
        best=highest,
        # Measured from the lowest, so that rounding never puts the mean outside [worst, best].
        mean=np.minimum(lowest + segment_sum(best_draws * excess, offsets) / segment_sum(best_draws, offsets), highest),
        worst=lowest,
        largest=segment_max(values, offsets),
    )


@dataclass(frozen=True, slots=True)
class TruthRange:
    """What must be known of the whole table.

    Attributes:
        limits: Least and greatest truth among the completions that have both scores.
        common_group_size: The common group size of the prompts that have both.
    """

    limits: tuple[float, float]
    common_group_size: int


def truth_figures(scorer: Scorer, reward: Reward, truth: Reward, whole: TruthRange) -> Any:
    """The price over all prompts, with spread and without, and the over-optimisation curve."""
    scored = scorer(reward, truth)
    layout = scored.layout
    if layout.n_prompts == 0:
        return Nothing({"column": truth.name, "prompts": 0, "note": "no prompt has two completions with both scores"})
    values = truth.scores[layout.rows]
    price = price_of_degeneracy(scored, values)
    flat = scored.zero_spread
    limits = whole.limits
    return {
        "column": truth.name,
        "trained_on": reward.name,
        "prompts": total(layout.n_prompts),
        "observed_range": list(limits),
        "all": _stratum(scored, price, np.ones(layout.n_prompts, dtype=bool), limits),
        "with_spread": _stratum(scored, price, ~flat, limits),
        "zero_spread": _stratum(scored, price, flat, limits),
        "best_of_k": _over_optimisation(scored, scorer(truth, reward), whole),
    }


def _stratum(
    scored: Scored, price: Price, kept: Bool[np.ndarray, " prompts"], limits: tuple[float, float]
) -> dict[str, Any]:
    prompts, (low, high) = scored.layout.prompts[kept], limits
    levels = {name: getattr(price, name) for name in ("sampling", "best", "mean", "worst", "largest")}
    gaps = {name: getattr(price, name) for name in ("exposure", "tie_breaker_gain", "unfixable")}
    figures = {f"{name}_truth": mean_over(prompts, v[kept], lowest=low, highest=high) for name, v in levels.items()}
    prices = {name: mean_over(prompts, v[kept], lowest=0.0, highest=high - low) for name, v in gaps.items()}
    return {"prompts": total(int(kept.sum())), **figures, **prices}


def _over_optimisation(scored: Scored, truth: Scored, whole: TruthRange) -> dict[str, Any]:
    """Truth of the best of k by the trained-on reward, k = 1 to the common group size, exact by counting."""
    layout, common = scored.layout, whole.common_group_size
    reaches = layout.group_sizes >= common
    levels, ideal = levels_of(scored), levels_of(truth)
    prompts, (low, high) = layout.prompts[reaches], whole.limits
    points = [
        {
            "k": k,
            "truth": mean_over(prompts, best_of_k(levels, truth.scores, k)[reaches], lowest=low, highest=high),
            "best_possible": mean_over(prompts, best_of_k(ideal, truth.scores, k)[reaches], lowest=low, highest=high),
        }
        for k in k_grid(common)
    ]
    return {"common_group_size": common, "prompts": total(int(reaches.sum())), "points": points}
