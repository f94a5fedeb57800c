"""Every prompt of a part of a table, a row each: where it stands, by the same figures as the audit of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.boundary import boundary_prompts
from policycliff.rollouts.analyses.degeneracy import consequences
from policycliff.rollouts.analyses.drop_list import drop_list
from policycliff.rollouts.analyses.figures import aspects_of, max_reward_of
from policycliff.rollouts.analyses.normalisation import phantom_advantages
from policycliff.rollouts.analyses.price import price_of_degeneracy
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.analyses.whole import WholeTable
from policycliff.rollouts.part import Place, main_reward_of, view_of
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_mean
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.rollouts.trees import finished_figures
from policycliff.shapes import Bool, Int64

_OF_REWARD = {
    "scored": pl.Int64,
    "behaviours": pl.Int64,
    "tied_size": pl.Int64,
    "radius": pl.Float64,
    "spread": pl.Float64,
    "consequential": pl.Boolean,
    "zero_spread": pl.Boolean,
    "unique": pl.Boolean,
    "mean_reward": pl.Float64,
    "best_reward": pl.Float64,
}
_OF_TRUTH = ("truth_mean", "truth_picked", "truth_best", "truth_largest")


@dataclass(frozen=True, slots=True)
class IndexOfPart:
    """What is known of the prompts of a part.

    Attributes:
        prompts: A row a group: `group`, `prompt` (its name), `step`, `row` (its first), `completions`; of those with
            two effective rewards also `scored` (completions that have one), `behaviours`, `tied_size`, `radius` (null
            with one behaviour), `spread`, `consequential`, `zero_spread`, `unique`, `mean_reward`, `best_reward` and
            `dropped` (the drop list's reason); of those with two completions that have a truth too the truth of the
            completions (`truth_mean`), of the best ones by the reward (`truth_picked`, a mean by draws, and
            `truth_best`) and of the best one by the truth (`truth_largest`); `wrong` where that is better.
        texts: (groups,) text of each prompt, null where there is none.
        reasons: How many prompts could have been listed for each reason.
    """

    prompts: pl.DataFrame
    texts: pl.Series
    reasons: dict[str, int]


def index_of_part(
    table: RolloutTable,
    rewards: Rewards,
    numbers: Int64[np.ndarray, " groups"],
    *,
    settings: AuditSettings,
    whole: WholeTable,
) -> IndexOfPart:
    """The prompts of a part; `numbers` are those of its groups in the whole table."""
    scored = rewards.scorer(rewards.effective)
    frame = _groups(table)
    for found in (_reward_frame(table, rewards, scored, settings, whole), _truth_frame(rewards)):
        frame = frame.join(found, on="group", how="left", maintain_order="left")
    first = table.offsets[:-1]
    named = "__prompt" in table.frame.columns
    texts = table.frame["__prompt"].gather(first).cast(pl.String) if named else _nothing(len(first))
    return IndexOfPart(frame, texts.alias("text"), _boundary(table, rewards, numbers, settings, whole, limit=0)[0])


def boundary_entry(
    table: RolloutTable, rewards: Rewards, number: int, *, settings: AuditSettings, whole: WholeTable
) -> dict[str, Any] | None:
    """The only prompt of a table as the audit lists it, with its reason; None where there is none to list it for."""
    _, listed = _boundary(table, rewards, np.array([number]), settings, whole, limit=1)
    return listed[0] if listed else None


def _boundary(
    table: RolloutTable,
    rewards: Rewards,
    numbers: Int64[np.ndarray, " groups"],
    settings: AuditSettings,
    whole: WholeTable,
    *,
    limit: int,
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How many prompts there are for each reason, and the first ones as they are listed."""
    scored = rewards.scorer(rewards.effective)
    nowhere = np.zeros(len(numbers), dtype=np.int64)
    place = Place(index=0, numbers=numbers, units=nowhere, chance=nowhere)
    view = view_of(table, place, whole, replace(settings, look_at=limit))
    aspects = aspects_of(table, whole.noises, leave_out=EFFECTIVE)
    found = boundary_prompts(table, scored, _consequential(table, scored, settings, whole), aspects, view)
    return finished_figures(found.tree["counts"]), finished_figures(found)


def _groups(table: RolloutTable) -> pl.DataFrame:
    first = table.offsets[:-1]
    steps = table.frame["__step"].gather(first).cast(pl.String) if "__step" in table.frame.columns else None
    rows = np.minimum.reduceat(table.row_index, first) if table.n_groups else table.row_index
    return pl.DataFrame(
        {
            "group": np.arange(table.n_groups),
            "prompt": table.frame["__prompt_id"].gather(first),
            "step": _nothing(len(first)) if steps is None else steps,
            "row": rows,
            "completions": np.diff(table.offsets),
        },
        schema_overrides={"group": pl.Int64, "row": pl.Int64, "completions": pl.Int64},
    )


def _reward_frame(
    table: RolloutTable, rewards: Rewards, scored: Scored, settings: AuditSettings, whole: WholeTable
) -> pl.DataFrame:
    layout = scored.layout
    if layout.n_prompts == 0:
        return pl.DataFrame(schema={"group": pl.Int64, **_OF_REWARD, "dropped": pl.String})
    found = {
        "scored": layout.group_sizes,
        "behaviours": layout.n_behaviours,
        "tied_size": scored.tied_size,
        "radius": radii(scored),
        "spread": scored.spread,
        "consequential": _consequential(table, scored, settings, whole),
        "zero_spread": scored.zero_spread,
        "unique": scored.is_unique,
        "mean_reward": segment_mean(scored.scores, layout.row_offsets),
        "best_reward": scored.best_value,
    }
    frame = pl.DataFrame({"group": layout.prompts, **found}, schema={"group": pl.Int64, **_OF_REWARD}).fill_nan(None)
    return frame.with_columns(_dropped(table, rewards, scored, settings, whole))


def _dropped(
    table: RolloutTable, rewards: Rewards, scored: Scored, settings: AuditSettings, whole: WholeTable
) -> pl.Series:
    """Why each prompt is on the drop list, null where it is not."""
    phantom, main = None, main_reward_of(rewards, settings)
    if main is not None:
        phantom = phantom_advantages(scored, main, max_reward=max_reward_of(main, settings), seen=whole.main_range)
    listed = drop_list(table, scored, phantom).finished()
    reasons = dict(listed.select("row", "reason").iter_rows())
    rows = np.minimum.reduceat(table.row_index, table.offsets[:-1])[scored.layout.prompts]
    return pl.Series("dropped", [reasons.get(row) for row in rows.tolist()], dtype=pl.String)


def _consequential(
    table: RolloutTable, scored: Scored, settings: AuditSettings, whole: WholeTable
) -> Bool[np.ndarray, " prompts"]:
    if scored.layout.n_prompts == 0:
        return np.zeros(0, dtype=bool)
    aspects = aspects_of(table, whole.noises, leave_out=EFFECTIVE)
    return consequences(scored, aspects, by_behaviour=settings.behaviour)[1]


def _truth_frame(rewards: Rewards) -> pl.DataFrame:
    columns: Mapping[str, Any] = {name: [] for name in ("group", *_OF_TRUTH)}
    if rewards.truth is not None:
        scored = rewards.scorer(rewards.effective, rewards.truth)
        if scored.layout.n_prompts:
            price = price_of_degeneracy(scored, rewards.truth.scores[scored.layout.rows])
            figures = (price.sampling, price.mean, price.best, price.largest)
            columns = {"group": scored.layout.prompts, **dict(zip(_OF_TRUTH, figures, strict=True))}
    frame = pl.DataFrame(columns, schema={"group": pl.Int64, **dict.fromkeys(_OF_TRUTH, pl.Float64)})
    return frame.with_columns((pl.col("truth_largest") > pl.col("truth_best")).alias("wrong"))


def _nothing(rows: int) -> pl.Series:
    return pl.repeat(None, rows, dtype=pl.String, eager=True)
