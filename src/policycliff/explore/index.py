"""All prompts of a table in one frame: made from its parts, and filtered, searched and put in order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeAlias

import polars as pl

from policycliff.rollouts.analyses.whole import WholeTable
from policycliff.rollouts.parts.on_disk import PartsOnDisk
from policycliff.rollouts.parts.parts import Parts, Surveyed
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.prompt_index import IndexOfPart, index_of_part
from policycliff.rollouts.settings import AuditSettings

SHOWN = {
    "all": pl.lit(value=True),
    "tied": pl.col("tied_size") > 1,
    "consequential": pl.col("consequential"),
    "zero-spread": pl.col("zero_spread"),
    "unique": pl.col("unique"),
    "wrong": pl.col("wrong"),
    "dropped": pl.col("dropped").is_not_null(),
}
"""Which prompts can be asked for."""

ORDERS = {
    "table": ("number", False),
    "radius": ("radius", False),
    "tied": ("tied_size", True),
    "spread": ("spread", False),
    "reward": ("mean_reward", True),
    "truth": ("truth_picked", False),
}
"""Their orders: a column, and whether the largest comes first."""

_KEPT = 4


@dataclass(frozen=True, slots=True)
class Index:
    """All prompts.

    Attributes:
        prompts: A row a prompt in the order of the table, as in `IndexOfPart`; with `number`, its place in that order
            from 0, and `part`.
        texts: `number` and `text`; on disk where the table is.
        reasons: How many prompts could be listed for each reason.
    """

    prompts: pl.DataFrame
    texts: pl.LazyFrame
    reasons: dict[str, int]


Chosen: TypeAlias = Callable[[str, str, bool, str], pl.Series]
"""`chosen(show, order, reverse, search)`: numbers of the prompts, in order."""


def index_of(parts: Parts, surveyed: Surveyed, whole: WholeTable, settings: AuditSettings, report: Progress) -> Index:
    """The prompts of all parts."""
    task = partial(index_of_part, settings=settings, whole=whole)
    frames, texts = [], []
    reasons: dict[str, int] = {}
    for position, found in enumerate(parts.each(task, surveyed.numbers)):
        numbers = pl.Series("number", surveyed.numbers[position], dtype=pl.Int64)
        part = pl.lit(position, dtype=pl.Int64).alias("part")
        frames.append(found.prompts.select(numbers, part, pl.all()))
        texts.append(_texts(parts, position, numbers, found))
        reasons |= {name: reasons.get(name, 0) + count for name, count in found.reasons.items()}
        report("prompts", (position + 1) / parts.count)
    return Index(pl.concat(frames).sort("number"), pl.concat(texts), reasons)


def chooser(index: Index) -> Chosen:
    """A function that chooses prompts and remembers its last answers: pages of one list come one after another."""

    @lru_cache(maxsize=_KEPT)
    def chosen(show: str, order: str, reverse: bool, search: str) -> pl.Series:  # noqa: FBT001 - a key
        column, largest_first = ORDERS[order]
        found = index.prompts.lazy().filter(SHOWN[show])
        if search:
            found = found.filter(_holds("prompt", search) | pl.col("number").is_in(_with_text(index, search).implode()))
        keys = [column] if column == "number" else [column, "number"]
        descending = [largest_first != reverse, False][: len(keys)]
        return found.sort(keys, descending=descending, nulls_last=True).select("number").collect()["number"]

    return chosen


def _with_text(index: Index, search: str) -> pl.Series:
    return index.texts.filter(_holds("text", search)).select("number").collect(engine="streaming")["number"]


def _holds(column: str, search: str) -> pl.Expr:
    """Whether a text holds another, whatever the case."""
    return pl.col(column).str.to_lowercase().str.contains(pl.lit(search).str.to_lowercase(), literal=True)


def _texts(parts: Parts, position: int, numbers: pl.Series, found: IndexOfPart) -> pl.LazyFrame:
    frame = pl.DataFrame([numbers, found.texts])
    if not isinstance(parts, PartsOnDisk):
        return frame.lazy()
    path = parts.folder / f"prompts-{position}.ipc"
    frame.write_ipc(path, compression="lz4")
    return pl.scan_ipc(path)
