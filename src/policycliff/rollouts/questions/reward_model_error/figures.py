"""All figures of the question, as one tree whose leaves get their intervals at the end."""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.advice import coefficient_advice
from policycliff.rollouts.analyses.radius import quantiles
from policycliff.rollouts.intervals import mean_over, share, with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.reward_model_error.disagreement import (
    left_out_disagreement,
    left_out_disjoint,
    member_figures,
    pair_figures,
    unanimous,
)
from policycliff.rollouts.questions.reward_model_error.ensemble import Ensemble, ensemble_of, row_spread
from policycliff.rollouts.questions.reward_model_error.error_size import (
    coefficients,
    prompt_spread,
    radius_in_spreads,
    shift_curve,
)
from policycliff.rollouts.questions.reward_model_error.new_member import new_member_flips
from policycliff.rollouts.questions.reward_model_error.truth import truth_figures
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.shapes import Float64

ADVISED = 0.95
"""Share of prompts that the advised coefficient covers."""


def ensemble_figures(loaded: LoadedRollouts, standardise: str | None, progress: Progress) -> dict[str, Any]:
    """Every figure of the answer, as JSON types."""
    table, settings = loaded.table, loaded.settings
    progress("scores", 0.1)
    ensemble = ensemble_of(loaded, standardise)
    layout = ensemble.layout
    progress("agreement", 0.3)
    tree: dict[str, Any] = {
        "prompts": layout.n_prompts,
        "completions": len(layout.rows),
        "left_out_rows": table.n_rows - len(layout.rows),
        "unscored_rows": {item.name: int(np.isnan(item.scores).sum()) for item in table.rewards},
        "scale_ratio": float(ensemble.scales.max() / ensemble.scales.min()),
        "members": member_figures(ensemble),
        "pairs": pair_figures(ensemble),
        "unanimous_share": share(unanimous(ensemble)),
        "tied_share": share(ensemble.mean.is_tied),
    }
    progress("a new member", 0.5)
    flips = new_member_flips(ensemble.values, ensemble.mean, seed=settings.seed)
    tree["new_member"] = _new_member(ensemble, flips.probability, flips.low, flips.high) | {"draws": flips.draws}
    tree["left_out"] = _left_out(ensemble, seed=settings.seed)
    progress("error and coefficient", 0.75)
    tree |= _error_and_coefficient(ensemble, settings.max_shift)
    progress("truth", 0.85)
    tree["truth"] = None
    if table.truth is not None:
        known = ~np.isnan(table.truth.scores)
        on_truth = ensemble if known[layout.rows].all() else ensemble_of(loaded, standardise, also=known)
        tree["truth"] = truth_figures(on_truth, table.truth)
    return with_intervals(tree, n_prompts=table.n_groups, seed=settings.seed)


def _new_member(
    ensemble: Ensemble,
    probability: Float64[np.ndarray, " prompts"],
    low: Float64[np.ndarray, " prompts"],
    high: Float64[np.ndarray, " prompts"],
) -> dict[str, Any]:
    prompts = ensemble.layout.prompts
    unique = ~np.isnan(low)
    return {
        "flip_probability_mean": mean_over(prompts, probability, lowest=0.0, highest=1.0),
        "unique_flip_probability_mean": mean_over(prompts[unique], probability[unique], lowest=0.0, highest=1.0),
        "unique_likeliest_rival_mean": mean_over(prompts, low, lowest=0.0, highest=1.0),
        "unique_sum_over_rivals_mean": mean_over(prompts, high, lowest=0.0, highest=1.0),
    }


def _left_out(ensemble: Ensemble, *, seed: int) -> dict[str, Any]:
    """Observed disagreement of each member with the rest, and what the model says of it from the rest alone."""
    prompts, observed, apart = ensemble.layout.prompts, left_out_disagreement(ensemble), left_out_disjoint(ensemble)
    figures: dict[str, Any] = {
        "observed": mean_over(prompts, observed.mean(axis=0), lowest=0.0, highest=1.0),
        "observed_disjoint": mean_over(prompts, apart.mean(axis=0), lowest=0.0, highest=1.0),
        "least_member": float(observed.mean(axis=1).min()),
        "greatest_member": float(observed.mean(axis=1).max()),
        "predicted": None,
    }
    if ensemble.size < 3:
        return figures
    predicted = np.zeros(ensemble.layout.n_prompts)
    for i, others in enumerate(ensemble.others):
        rest = np.delete(ensemble.values, i, axis=0)
        flips = new_member_flips(rest, others, seed=seed + 1 + i, most_draws=1000 // ensemble.size)
        predicted += flips.probability / ensemble.size
    return figures | {"predicted": mean_over(prompts, predicted, lowest=0.0, highest=1.0)}


def _error_and_coefficient(ensemble: Ensemble, max_shift: float) -> dict[str, Any]:
    ratio, spreads = radius_in_spreads(ensemble), prompt_spread(ensemble)
    rows = coefficients(ensemble, max_shift)
    advised = next(row for row in rows if row["covered"] == ADVISED)
    error = advised["error"]["value"]
    known = ~np.isnan(ratio)
    return {
        "row_spread_mean": float(row_spread(ensemble).mean()),
        "prompt_spread": quantiles(spreads),
        "radius_in_spreads": quantiles(ratio[known & np.isfinite(ratio)]),
        "radius_within_one_spread_share": share(ratio[known] <= 1.0),
        "radius_known_prompts": int(known.sum()),
        "max_shift": max_shift,
        "coefficients": rows,
        "advice": coefficient_advice(
            ensemble.mean,
            reward_error=error,
            origin=f"covers every member in {100 * ADVISED:g} % of prompts",
            max_shift=max_shift,
        ),
        "shift_curve": shift_curve(ensemble, advised["beta"]["value"]),
    }
