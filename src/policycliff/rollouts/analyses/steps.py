"""How the figures move over training: one row a training step, or a run of steps where there are many.

Ties, spread and gain are those of the effective reward at the prompts of the step; groups never span steps. Where a
prompt comes back at a later step, its best set is compared with the one before: the same behaviours, or others.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.degeneracy import behaviour_means
from policycliff.rollouts.analyses.figures import RewardAudit
from policycliff.rollouts.analyses.noise import noisy_spread
from policycliff.rollouts.analyses.visits import visits
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.leaves import After, Nothing, total
from policycliff.rollouts.segments import segment_mean, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64

MOST_ROWS = 40
"""More steps than this are put together to runs of consecutive steps, as even as can be."""


def step_figures(
    table: RolloutTable,
    main: RewardAudit,
    truth: Float64[np.ndarray, " table_rows"] | None,
    *,
    steps: Sequence[Any],
    numbers: Int64[np.ndarray, " groups"],
    epsilon: float,
) -> Any:
    """Figures of the effective reward by training step; None without a step column or with a single step.

    Args:
        table: The rows of a part, with their steps.
        main: The effective reward's audit.
        truth: Scores that are not trained on, along the table's rows.
        steps: The distinct steps of the whole table, in order.
        numbers: Number of each prompt in the whole table.
        epsilon: Added to the standard deviation in the gain.
    """
    if len(steps) < 2:
        return None
    scored = main.scored
    if scored.layout.n_prompts == 0:
        return Nothing(None)
    run_of_step = np.arange(len(steps)) * min(MOST_ROWS, len(steps)) // len(steps)
    number = _step_numbers(table.frame["__step"].gather(table.offsets[:-1]), steps)
    run = run_of_step[number][scored.layout.prompts]
    values = _prompt_values(main, truth, epsilon=epsilon)
    shares = {name: flags for name, flags in values.items() if name.endswith("_share")}
    means = {name: numbers for name, numbers in values.items() if not name.endswith("_share")}
    lows = {name: float(np.nanmin(numbers, initial=np.inf)) for name, numbers in means.items()}
    highs = {name: float(np.nanmax(numbers, initial=-np.inf)) for name, numbers in means.items()}
    names, rows = _names(steps), []
    for position in range(int(run_of_step[-1]) + 1):
        of_run, here = np.flatnonzero(run_of_step == position), run == position
        rows.append(
            {
                "first": names[of_run[0]],
                "last": names[of_run[-1]],
                "prompts": total(int(here.sum())),
                **{name: share(flags[here & ~np.isnan(flags)] > 0.0) for name, flags in shares.items()},
                **{
                    name: mean_over(scored.layout.prompts[here], numbers[here], lowest=lows[name], highest=highs[name])
                    for name, numbers in means.items()
                },
            }
        )
    return After(_with_changes, {"rows": rows, "changed": visits(table, main, number, numbers, run_of_step)})


def _with_changes(figures: dict[str, Any]) -> list[dict[str, Any]]:
    changed = figures["changed"]
    if changed is None:
        return figures["rows"]
    return [row | {"best_changed_share": found} for row, found in zip(figures["rows"], changed, strict=True)]


def _step_numbers(column: pl.Series, steps: Sequence[Any]) -> Int64[np.ndarray, " groups"]:
    """The number of each group's step among the steps of the table."""
    known = pl.DataFrame({"step": pl.Series(steps, dtype=column.dtype), "number": np.arange(len(steps))})
    joined = column.to_frame("step").join(known, on="step", how="left", nulls_equal=True, maintain_order="left")
    return joined["number"].to_numpy()


def _names(steps: Sequence[Any]) -> list[Any]:
    column = pl.Series(steps, strict=False)
    return column.to_list() if column.dtype.is_numeric() else column.cast(pl.String).to_list()


def _prompt_values(
    main: RewardAudit, truth: Float64[np.ndarray, " table_rows"] | None, *, epsilon: float
) -> dict[str, Float64[np.ndarray, " prompts"]]:
    """One value a prompt of every figure; NaN where the prompt does not count. Shares are flags."""
    scored, layout = main.scored, main.scored.layout
    noisy = noisy_spread(scored, main.noise)
    spread = ~scored.zero_spread
    values = {
        "tied_share": scored.is_tied.astype(np.float64),
        "consequential_share": main.consequential.astype(np.float64),
        "zero_spread_share": scored.zero_spread.astype(np.float64),
        "gap_mean": np.where(scored.is_unique, scored.gap, np.nan),
        "spread_mean": scored.spread,
        "gain_mean": np.where(spread, 1.0 / (scored.spread + epsilon), np.nan),
        "reward_mean": segment_mean(scored.scores, layout.row_offsets),
        "best_reward_mean": scored.best_value,
    }
    if noisy is not None:
        values["noise_spread_share"] = np.where(spread, noisy, np.nan)
    if truth is not None:
        values["truth_mean"] = segment_mean(truth[layout.rows], layout.row_offsets)
        of_best = np.where(scored.best, behaviour_means(scored, truth), 0.0)
        values["truth_of_best_mean"] = segment_sum(of_best, layout.behaviour_offsets) / scored.tied_size
    return values
