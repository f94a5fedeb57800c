"""Which prompts of two tables are the same, and whether one table is the other with rows removed.

Prompts are matched by the name of their group where both tables have one and the prompts' texts agree, else by the
prompt's text. A key that comes several times is matched in order, the first with the first; where both tables hold the
same training steps, the step belongs to the key.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.segments import segment_of, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64

_SAME = "same"
_NEW_TEXTS = 5.0


@dataclass(frozen=True, slots=True)
class Matching:
    """Groups of two tables that show the same prompt.

    Attributes:
        first: (pairs,) group numbers in the first table.
        second: (pairs,) group numbers in the second.
        by: "group name", "prompt text" or "nothing".
        repeated: Groups of either table whose key comes more than once in it.
        notes: What was decided, in plain words.
    """

    first: Int64[np.ndarray, " pairs"]
    second: Int64[np.ndarray, " pairs"]
    by: str
    repeated: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many rows of each table are in the other: same prompt, same text, and the same rewards or not.

    Attributes:
        second_in_first: Share of the second table's rows that are in the first with the same rewards; None where
            nothing can tell completions apart.
        first_in_second: The reverse.
        texts: Share of the second table's rows whose text alone is in the first.
    """

    second_in_first: float | None
    first_in_second: float | None
    texts: float | None


def match(first: LoadedRollouts, second: LoadedRollouts) -> Matching:
    """Match the prompts of two tables."""
    tables = (first.table, second.table)
    texts = [_texts(table) for table in tables]
    named = all(item.columns["group"]["column"] is not None for item in (first, second))
    notes: tuple[str, ...] = ()
    if named:
        found = _join(tables, [_names(table) for table in tables], "group name")
        differing = _differing(found, texts)
        if len(found.first) and not differing:
            return found
        if differing:
            notes = (
                f"{differing} groups have the same name in A and B but another prompt: the names are not of the "
                "prompts, which are matched by their text.",
            )
    if texts[0] is not None and texts[1] is not None:
        found = _join(tables, [texts[0], texts[1]], "prompt text")
        if len(found.first):
            return Matching(found.first, found.second, found.by, found.repeated, notes)
    nothing = np.zeros(0, dtype=np.int64)
    return Matching(nothing, nothing, "nothing", notes=notes)


def overlap(first: RolloutTable, second: RolloutTable, matching: Matching) -> Overlap:
    """Compare the rows of matched prompts as multisets; rows of unmatched prompts are in no other table."""
    if first.text is None or second.text is None:
        return Overlap(None, None, None)
    frames = [_rows(first, matching.first), _rows(second, matching.second)]
    scores = [name for name in frames[0].columns if name.startswith("s:")]
    both, texts = _common(frames, ["pair", "text", *scores]), _common(frames, ["pair", "text"])
    return Overlap(both / second.n_rows, both / first.n_rows, texts / second.n_rows)


def is_part(whole: RolloutTable, part: RolloutTable, pairs: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether a table all of whose rows are in another one has them from there, and not by chance.

    A new sample of the same policy shows a text that the whole lacks about as often as the whole shows one once
    (Good 1953). Of a true part that many new texts are missing; fewer than `_NEW_TEXTS` of them prove nothing, as where
    completions are single letters. Groups that are whole are the same rows in any case.
    """
    sizes, kept = np.diff(whole.offsets), np.diff(part.offsets)[pairs[1]]
    if whole.text is None or (sizes[pairs[0]] == kept).all():
        return whole.text is not None
    _, where, counts = np.unique(whole.text, return_inverse=True, return_counts=True)
    once = segment_sum(counts[where] == 1, whole.offsets) / sizes
    return float((once[pairs[0]] * kept).sum()) >= _NEW_TEXTS


def _names(table: RolloutTable) -> pl.Series:
    return table.frame["__prompt_id"].gather(table.offsets[:-1])


def _texts(table: RolloutTable) -> pl.Series | None:
    """The prompt's text of each group; None where there is none at all."""
    if "__prompt" not in table.frame.columns:
        return None
    texts = table.frame["__prompt"].gather(table.offsets[:-1])
    return None if texts.null_count() == len(texts) else texts


def _join(tables: tuple[RolloutTable, RolloutTable], keys: list[pl.Series], by: str) -> Matching:
    steps = _steps(tables)
    frames = []
    repeated = 0
    for table, key, step in zip(tables, keys, steps, strict=True):
        frame = pl.DataFrame({"key": key, "step": step, "group": np.arange(table.n_groups)})
        frame = frame.drop_nulls("key").with_columns(time=pl.int_range(pl.len()).over("key", "step"))
        repeated += frame.select((pl.len().over("key", "step") > 1).sum()).item()
        frames.append(frame)
    joined = frames[0].join(frames[1], on=["key", "step", "time"], how="inner", nulls_equal=True).sort("group")
    first, second = (joined[name].to_numpy().astype(np.int64) for name in ("group", "group_right"))
    return Matching(first, second, by, int(repeated))


def _steps(tables: tuple[RolloutTable, RolloutTable]) -> list[pl.Series]:
    """The step of each group as text where both tables share steps; else one word for all."""
    if all("__step" in table.frame.columns for table in tables):
        steps = [table.frame["__step"].gather(table.offsets[:-1]).cast(pl.String) for table in tables]
        if set(steps[0].unique()) & set(steps[1].unique()):
            return steps
    return [pl.Series([_SAME]).new_from_index(0, table.n_groups) for table in tables]


def _differing(found: Matching, texts: list[pl.Series | None]) -> int:
    """Matched groups whose prompts have another text."""
    if texts[0] is None or texts[1] is None:
        return 0
    return int((texts[0].gather(found.first) != texts[1].gather(found.second)).sum())


def _rows(table: RolloutTable, matched: Int64[np.ndarray, " pairs"]) -> pl.DataFrame:
    """Rows of matched groups: the pair, the text and the rewards; null for NaN, so that it equals itself."""
    pair = np.full(table.n_groups, -1, dtype=np.int64)
    pair[matched] = np.arange(len(matched))
    frame = pl.DataFrame(
        {"pair": pair[segment_of(table.offsets)], "text": table.frame["__completion"]}
        | {f"s:{column.name}": column.scores for column in table.rewards}
    )
    return frame.filter(pl.col("pair") >= 0).fill_nan(None)


def _common(frames: list[pl.DataFrame], keys: list[str]) -> int:
    """Size of the intersection of two multisets of rows."""
    counted = [frame.group_by(keys).len() for frame in frames]
    joined = counted[0].join(counted[1], on=keys, how="inner", nulls_equal=True)
    return int(joined.select(pl.min_horizontal("len", "len_right").sum()).item() or 0)
