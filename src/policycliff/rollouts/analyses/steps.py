"""How the figures move over training: one row a training step, or a run of steps where there are many.

Ties, spread and gain are those of the effective reward at the prompts of the step; groups never span steps. Where a
prompt comes back at a later step, its best set is compared with the one before: the same behaviours, or others.
"""

from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.degeneracy import behaviour_means
from policycliff.rollouts.analyses.figures import RewardAudit
from policycliff.rollouts.analyses.noise import noisy_spread
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.reading.groups import first_equal
from policycliff.rollouts.segments import segment_mean, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64

MOST_ROWS = 40
"""More steps than this are put together to runs of consecutive steps, as even as can be."""


def step_figures(
    table: RolloutTable, main: RewardAudit, truth: Float64[np.ndarray, " table_rows"] | None, *, epsilon: float
) -> list[dict[str, Any]] | None:
    """Figures of the effective reward by training step; None without a step column or with a single step.

    Args:
        table: The rows, with their steps.
        main: The effective reward's audit.
        truth: Scores that are not trained on, along the table's rows.
        epsilon: Added to the standard deviation in the gain.
    """
    if "__step" not in table.frame.columns:
        return None
    names, number = _steps(table.frame["__step"].gather(table.offsets[:-1]))
    if len(names) < 2:
        return None
    scored = main.scored
    run_of_step = np.arange(len(names)) * min(MOST_ROWS, len(names)) // len(names)
    run = run_of_step[number][scored.layout.prompts]
    values = _prompt_values(main, truth, epsilon=epsilon) | _changes(table, main, number)
    shares = {name: flags for name, flags in values.items() if name.endswith("_share")}
    means = {name: numbers for name, numbers in values.items() if not name.endswith("_share")}
    lows = {name: float(np.nanmin(numbers, initial=np.inf)) for name, numbers in means.items()}
    highs = {name: float(np.nanmax(numbers, initial=-np.inf)) for name, numbers in means.items()}
    rows = []
    for position in range(int(run_of_step[-1]) + 1):
        steps, here = np.flatnonzero(run_of_step == position), run == position
        rows.append(
            {
                "first": names[steps[0]],
                "last": names[steps[-1]],
                "prompts": int(here.sum()),
                **{name: share(flags[here & ~np.isnan(flags)] > 0.0) for name, flags in shares.items()},
                **{
                    name: mean_over(scored.layout.prompts[here], numbers[here], lowest=lows[name], highest=highs[name])
                    for name, numbers in means.items()
                },
            }
        )
    return rows


def _steps(column: pl.Series) -> tuple[list[Any], Int64[np.ndarray, " groups"]]:
    """The distinct steps in order (numbers, else texts), and the number of each group's step; no step comes first."""
    ordered = column.unique().sort(nulls_last=False)
    number = column.to_frame("step").join(
        pl.DataFrame({"step": ordered, "number": np.arange(len(ordered))}),
        on="step",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    names = ordered.to_list() if ordered.dtype.is_numeric() else ordered.cast(pl.String).to_list()
    return names, number["number"].to_numpy()


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


def _changes(
    table: RolloutTable, main: RewardAudit, number: Int64[np.ndarray, " groups"]
) -> dict[str, Float64[np.ndarray, " prompts"]]:
    """Whether a prompt that was seen at an earlier step has other best behaviours now; NaN where it was not seen."""
    names = [name for name in ("__behaviour", "__completion") if name in table.frame.columns]
    if not names:
        return {}
    layout = main.scored.layout
    best = np.flatnonzero(main.scored.best)
    first_row = layout.rows[layout.draw_offsets[best]]
    behaviour = first_equal([table.frame[names[0]].gather(first_row)], len(best))
    sets = (
        pl.DataFrame({"prompt": layout.prompt_of_behaviour[best], "behaviour": behaviour})
        .group_by("prompt", maintain_order=True)
        .agg(pl.col("behaviour").sort())
    )
    prompts = np.arange(layout.n_prompts)
    key = "__prompt" if "__prompt" in table.frame.columns else "__prompt_id"
    rows = layout.rows[layout.row_offsets[:-1]]
    visits = sets.select(
        "prompt",
        "behaviour",
        key=pl.Series(first_equal([table.frame[key].gather(rows)], layout.n_prompts)),
        step=pl.Series(number[layout.prompts]),
    ).sort("key", "step", "prompt")
    before = pl.col("behaviour").shift(1).over("key")
    changed = visits.select("prompt", changed=(pl.col("behaviour") != before).cast(pl.Float64))
    result = np.full(len(prompts), np.nan)
    result[changed["prompt"].to_numpy()] = changed["changed"].to_numpy()
    return {"best_changed_share": result}
