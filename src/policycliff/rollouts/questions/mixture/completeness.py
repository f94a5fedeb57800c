"""What the figures of a mixture leave out, or take for different although it may be the same."""

from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.layout import Layout
from policycliff.rollouts.questions.mixture.classes import Classes
from policycliff.rollouts.table import RolloutTable


def left_out_figures(table: RolloutTable, classes: Classes, layout: Layout) -> dict[str, Any]:
    """What is left out, and prompts that would be shared were they one group."""
    shared = np.flatnonzero(classes.shared)
    return {
        "rows_without_class": int((classes.of_row < 0).sum()),
        "shared_prompts_left_out": int((~np.isin(shared, layout.prompts)).sum()),
        "texts_in_several_groups": _same_texts(table, classes),
    }


def _same_texts(table: RolloutTable, classes: Classes) -> int:
    """Prompt texts that occur in groups of different classes, which are then states of their own."""
    if "__prompt" not in table.frame.columns:
        return 0
    text = table.frame["__prompt"].gather(table.offsets[:-1])
    frame = pl.DataFrame({"text": text, "class": classes.member.argmax(axis=1)}).drop_nulls()
    return int((frame.group_by("text").agg(pl.col("class").n_unique())["class"] > 1).sum())
