"""Prompts to leave out of training: those that train nothing, or the wrong thing."""

import numpy as np
import polars as pl

from policycliff.rollouts.leaves import Figure, frames
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool

DROP_LIST_SCHEMA = {"prompt": pl.String, "reason": pl.String, "row": pl.Int64, "step": pl.String}


def drop_list(table: RolloutTable, scored: Scored, phantom: Bool[np.ndarray, " prompts"] | None) -> Figure:
    """Prompts without spread or with phantom advantages, with the reason: a frame of columns `DROP_LIST_SCHEMA`.

    A name may be a text cut short, or come again at another step; `row`, the first of its rows, is one of a kind.
    """
    reasons = np.where(scored.zero_spread, "zero spread", "")
    if phantom is not None:
        reasons = np.where(phantom, "phantom advantages", reasons)
    listed = np.flatnonzero(reasons != "")
    first = table.offsets[scored.layout.prompts[listed]]
    none = pl.repeat(None, len(listed), dtype=pl.String, eager=True)
    frame = pl.DataFrame(
        {
            "prompt": table.frame["__prompt_id"].gather(first),
            "reason": pl.Series(reasons[listed], dtype=pl.String),
            "row": np.minimum.reduceat(table.row_index, table.offsets[:-1])[scored.layout.prompts[listed]],
            "step": table.frame["__step"].gather(first).cast(pl.String) if "__step" in table.frame.columns else none,
        }
    )
    return frames(frame, _in_order)


def _in_order(found: pl.DataFrame) -> pl.DataFrame:
    return found.sort("row")
