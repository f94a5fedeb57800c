"""The prompt and the two answers of a preference pair, also where only whole conversations are given."""

import polars as pl

from policycliff.rollouts.formats.shared.tables import Schema, as_text, has_messages, is_plain_chat, original
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.table import SkippedRows

_TURNS = ("\n\nAssistant:", "<|im_start|>assistant\n", "<|assistant|>\n", "<start_of_turn>model\n", "[/INST]")
"""Where an answer begins in conversations that are one text."""
_SPLIT = pl.Struct({"__prompt": pl.String, "__0": pl.String, "__1": pl.String})
TextsFound = tuple[pl.LazyFrame, tuple[SkippedRows, ...], tuple[str, ...]]
"""The frame, what was left out, and notes."""


def with_texts(frame: pl.LazyFrame, schema: Schema, texts: tuple[str, str], prompt: str | None) -> TextsFound:
    """The frame with `__prompt`, `__0` (chosen) and `__1` (rejected).

    Conversations are cut behind the user's last message where they agree up to it; without a prompt column the part
    before is the prompt, and pairs that do not agree are left out. Texts without a prompt column are cut where they
    begin to differ.
    """
    if all(has_messages(schema[name]) for name in texts):
        return _from_messages(frame, schema, texts, prompt)
    lines = [as_text(original(name, schema), schema[name], keep_chat=False) for name in texts]
    if prompt is None:
        split = pl.struct(lines[0].alias("c"), lines[1].alias("r")).map_batches(_split_texts, return_dtype=_SPLIT)
        frame = frame.with_columns(split.alias("__split")).unnest("__split")
        return frame, (), ("no prompt column: the prompt is what the two texts of a pair begin with in common.",)
    shown = as_text(original(prompt, schema), schema[prompt])
    return frame.with_columns(shown.alias("__prompt"), lines[0].alias("__0"), lines[1].alias("__1")), (), ()


def _from_messages(frame: pl.LazyFrame, schema: Schema, texts: tuple[str, str], prompt: str | None) -> TextsFound:
    types = [schema[name] for name in texts]
    plain = all(is_plain_chat(dtype) for dtype in types)
    (before, answer), (other_before, other_answer) = (_last_turn(pl.col(name)) for name in texts)
    agree = _as_lines(before, types[0]) == _as_lines(other_before, types[1])
    fits = (agree & (answer.list.len() > 0) & (other_answer.list.len() > 0)).fill_null(value=False)
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedRows, ...] = ()
    answers = [answer, other_answer]
    if prompt is None:
        frame, skipped = _only(frame, fits)
        notes = ("no prompt column: the prompt is the conversation up to its last user message.",)
        shown = as_text(before, types[0])
    else:
        answers = [pl.when(fits).then(cut).otherwise(name) for cut, name in zip(answers, texts, strict=True)]
        shown = as_text(original(prompt, schema), schema[prompt])
    columns = [as_text(item, dtype, keep_chat=plain) for item, dtype in zip(answers, types, strict=True)]
    frame = frame.with_columns(shown.alias("__prompt"), columns[0].alias("__0"), columns[1].alias("__1"))
    return frame, skipped, notes


def _last_turn(messages: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Messages up to the user's last one, and those after it; nothing is before where the user says nothing."""
    users = messages.list.eval(pl.element().struct.field("role") == "user").list
    behind = pl.when(users.any()).then(users.reverse().list.arg_max()).otherwise(messages.list.len())
    return messages.list.head(messages.list.len() - behind), messages.list.tail(behind)


def _as_lines(messages: pl.Expr, dtype: DataType) -> pl.Expr:
    return as_text(messages, dtype, keep_chat=False)


def _only(frame: pl.LazyFrame, fits: pl.Expr) -> tuple[pl.LazyFrame, tuple[SkippedRows, ...]]:
    unlike = int(frame.select((~fits).sum()).collect(engine="streaming").item())
    reason = "pairs whose conversations differ before the answer, or have none"
    return frame.filter(fits), (SkippedRows(reason, unlike, "pairs"),) if unlike else ()


def _split_texts(pairs: pl.Series) -> pl.Series:
    rows = [_split(row["c"], row["r"]) for row in pairs.to_list()]
    return pl.Series(pairs.name, rows, dtype=_SPLIT)


def _split(chosen: str | None, rejected: str | None) -> dict[str, str | None]:
    """Two texts as what they share and what each adds, cut where the last answer begins, else at a space.

    >>> _split("A cat sat", "A cat ran")
    {'__prompt': 'A cat', '__0': ' sat', '__1': ' ran'}
    """
    if chosen is None or rejected is None:
        return {"__prompt": None, "__0": None, "__1": None}
    shared = _shared_length(chosen, rejected)
    turns = [(chosen.rfind(turn, 0, shared), len(turn)) for turn in _TURNS]
    start, length = max(turns)
    cut = start + length if start >= 0 else max(chosen.rfind(" ", 0, shared), chosen.rfind("\n", 0, shared), 0)
    return {"__prompt": chosen[:cut], "__0": chosen[cut:], "__1": rejected[cut:]}


def _shared_length(first: str, second: str) -> int:
    """Length of what two texts begin with in common, by halving: linear in the texts."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
