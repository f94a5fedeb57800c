"""Groups of a TRL completion log: consecutive blocks of `num_generations` rows, a number that is not in the file.

Rows of one prompt stand next to each other, so that runs of equal prompts have lengths that are multiples of it; and
advantages are centred in each group, so that they sum to zero there. Both hold for training batches under every
setting of the trainer. An evaluation writes to the file of its step, in groups of `num_generations_eval` and beside
the last rows of the training batch: such files do not fit the size of the others.
"""

from dataclasses import dataclass
from math import gcd

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.trl.log import Chunk, Log
from policycliff.rollouts.table import SkippedRows

# Advantages are float32 differences of scores: this share of their size may be rounding.
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group of each row of the log, null for rows in none; what was decided, and what was left out."""

    group: pl.Series
    notes: tuple[str, ...]
    skipped: tuple[SkippedRows, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    """A chunk that is used, with its advantages (None where they are not logged)."""

    chunk: Chunk
    advantages: np.ndarray | None

    def divides(self, size: int) -> bool:
        """Whether blocks of this size hold one prompt each."""
        return not (self.chunk.runs % size).any()

    def centred(self, size: int) -> bool:
        """Whether blocks of this size hold one prompt each, and advantages that sum to zero."""
        if not self.divides(size):
            return False
        if self.advantages is None:
            return True
        blocks = self.advantages.reshape(-1, size)
        with np.errstate(over="ignore", invalid="ignore"):
            return bool((np.abs(blocks.sum(axis=1)) <= _ROUNDING * (np.abs(blocks).sum(axis=1) + 0.01)).all())


def group_log(log: Log, group_size: int | None) -> Grouped:
    """Cut the log into groups.

    Raises:
        TableError: No size fits the runs of equal prompts; asks for `--group-size`.
    """
    batches = _batches(log)
    used = [batch for batch in batches if not batch.chunk.left_out]
    size, notes = _found_size(used) if group_size is None else _given_size(used, group_size)
    fits = {id(batch) for batch in used if batch.centred(size)} or {id(batch) for batch in used if batch.divides(size)}
    unfit = [batch.chunk for batch in used if id(batch) not in fits]
    numbers, n_groups = [], 0
    for batch in batches:
        block = np.arange(batch.chunk.rows) // size
        kept = id(batch) in fits
        numbers.append(pl.Series(n_groups + block) if kept else pl.Series([None] * len(block), dtype=pl.Int64))
        n_groups += len(block) // size if kept else 0
    reason = (
        f"in files that do not consist of groups of {size} ({_listed(unfit)}): rows of an evaluation, it seems; give "
        "such a file alone to audit it"
    )
    skipped = (SkippedRows(reason, sum(chunk.rows for chunk in unfit)),) if unfit else ()
    return Grouped(pl.concat(numbers), notes, skipped)


def _batches(log: Log) -> list[_Batch]:
    ends = np.cumsum([chunk.rows for chunk in log.chunks])
    if "advantage" not in log.numbers.columns:
        return [_Batch(chunk, None) for chunk in log.chunks]
    advantages = np.nan_to_num(log.numbers["advantage"].to_numpy(), posinf=0.0, neginf=0.0)
    return [
        _Batch(chunk, advantages[end - chunk.rows : end]) for chunk, end in zip(log.chunks, ends.tolist(), strict=True)
    ]


def _found_size(batches: list[_Batch]) -> tuple[int, tuple[str, ...]]:
    """The size that most files fit; among several the one that more files say by themselves."""
    own = [gcd(*batch.chunk.runs.tolist()) for batch in batches]
    common = gcd(*own)
    candidates = {size for size in (*own, common) if size > 1}
    support = {size: sum(batch.centred(size) for batch in batches) for size in candidates}
    candidates = {size for size in candidates if support[size]}
    if not candidates:
        raise TableError(
            f"{batches[0].chunk.path}: the runs of equal prompts ({_lengths(batches)} rows) do not consist of groups "
            "of one size, so num_generations cannot be found out. Give it with --group-size; is the file cut off, or "
            "of an evaluation?"
        )
    logged = batches[0].advantages is not None
    size = max(candidates, key=lambda item: _rank(support[item], own.count(item), item, logged=logged))
    return size, (_how_found(size, batches), *_doubts(size, batches))


def _rank(support: int, said: int, size: int, *, logged: bool) -> tuple[int, int, int]:
    # Without advantages a small size fits every file that a multiple fits, so support alone would say too little.
    return (support, said, size) if logged else (said, support, -size)


def _how_found(size: int, batches: list[_Batch]) -> str:
    return (
        f"num_generations = {size}, found from runs of equal prompts"
        + (" and advantages that sum to zero" if batches[0].advantages is not None else "")
        + "; give --group-size if that is wrong."
    )


def _doubts(size: int, batches: list[_Batch]) -> tuple[str, ...]:
    """What the file cannot tell: every run may be several groups of one prompt."""
    used = [batch for batch in batches if batch.centred(size)]
    smaller = [item for item in range(2, size) if size % item == 0 and all(batch.centred(item) for batch in used)]
    if not smaller:
        return ()
    sizes = ", ".join(str(item) for item in smaller)
    return (f"groups of {sizes} would fit as well, if prompts always came several times in a row.",)


def _given_size(batches: list[_Batch], size: int) -> tuple[int, tuple[str, ...]]:
    if not any(batch.divides(size) for batch in batches):
        raise TableError(
            f"{batches[0].chunk.path}: blocks of {size} rows mix prompts, whose runs have {_lengths(batches)} rows. "
            "Give another --group-size, or leave it out to find it from the file."
        )
    if any(batch.centred(size) for batch in batches):
        return size, ()
    return size, (f"the advantages do not sum to zero in blocks of {size} rows: is that num_generations?",)


def _lengths(batches: list[_Batch]) -> str:
    lengths = sorted({length for batch in batches for length in batch.chunk.runs.tolist()})
    return ", ".join(str(length) for length in lengths[:8]) + (", ..." if len(lengths) > 8 else "")


def _listed(chunks: list[Chunk]) -> str:
    names = list(dict.fromkeys(chunk.path.name for chunk in chunks))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
