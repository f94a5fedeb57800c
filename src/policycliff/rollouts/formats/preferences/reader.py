"""Preference pairs: a chosen and a rejected completion a row, as TRL, UltraFeedback and others write them.

Every pair becomes two rows that compete. Numbers of both sides (`score_chosen`, `score_rejected`) become one column
(`score`); without any, only the order is known (`preferred`, 1 and 0).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS, FileSample, Format, Reading
from policycliff.rollouts.formats.preferences.pair_texts import with_texts
from policycliff.rollouts.formats.shared.rewards import SCORE_NAME, Weights, weighted, weights_note
from policycliff.rollouts.formats.shared.tables import (
    Schema,
    has_text,
    holds_text,
    sampled_columns,
    scan_tables,
    visible,
)
from policycliff.rollouts.reading.columns import PROMPT_NAMES, SOURCE_NAMES, is_numeric
from policycliff.rollouts.settings import AuditSettings

_SIDE = re.compile(r"(?<![a-z])chosen(?![a-z])", re.IGNORECASE)
_TEXT_STEMS = ("", "response", "completion", "answer", "output", "text", "messages", "message", "generation")
Pairs = dict[str, tuple[str, str]]
"""What both sides have, by what is left of the name without `chosen`: (name of the chosen, of the rejected)."""


def pairs_of(names: Sequence[str]) -> Pairs:
    """The columns that both sides have.

    >>> pairs_of(["prompt", "chosen", "rejected", "score_chosen", "score_rejected"])
    {'': ('chosen', 'rejected'), 'score': ('score_chosen', 'score_rejected')}
    """
    found: Pairs = {}
    lower = {name.lower(): name for name in reversed(names)}
    for name in names:
        other = lower.get(_SIDE.sub("rejected", name.lower()))
        if other is not None and other != name:
            found.setdefault(_SIDE.sub("", name).strip("_-./: ").lower(), (name, other))
    return found


def expand(frame: pl.LazyFrame, notes: tuple[str, ...] = ()) -> Reading | None:
    """The pairs of a table as rows, None where it holds none."""
    schema = frame.collect_schema()
    pairs = pairs_of(list(visible(schema)))
    texts = _text_pair(pairs, schema)
    if texts is None:
        return None
    prompt = next((name for name in PROMPT_NAMES if name in schema), None)
    frame, skipped, split_notes = with_texts(frame, schema, texts, prompt)
    values, numeric = _values(pairs, schema)
    rewards, score_notes = _rewards(numeric, schema)
    kept = [pl.col("step")] if "step" in schema and is_numeric(schema["step"]) else []
    # Where only the margin of a pair is known, the zero of one pair is not that of another.
    by_pair = [pl.col("__pair").alias("group")] if "margin" in dict(rewards) else []
    sides = [_side(side, values, schema, with_margin=bool(by_pair)) for side in (0, 1)]
    rows = (
        frame.with_row_index("__pair")
        .select(pl.col("__prompt").alias("prompt"), *kept, *by_pair, pl.concat_list(sides).alias("__row"))
        .explode("__row")
        .unnest("__row")
    )
    fixed: dict[str, Any] = {"prompt": "prompt", "completion": "completion", "rewards": rewards}
    fixed |= {"step": "step"} if kept else {}
    fixed |= {"group": "group"} if by_pair else {}
    fixed |= {"source": "source"} if "source" in values else {}
    used = {name for pair in values.values() for name in pair} | {*texts, prompt, "step", "margin"}
    left = [name for name in visible(schema) if name not in used]
    left_note = (f"columns of the pair, not of a completion, are left out: {', '.join(left)}.",) if left else ()
    return Reading(frame=rows, fixed=fixed, notes=(*notes, *split_notes, *score_notes, *left_note), skipped=skipped)


def _text_pair(pairs: Pairs, schema: Schema) -> tuple[str, str] | None:
    for stem in _TEXT_STEMS:
        if stem in pairs and all(has_text(name, schema) for name in pairs[stem]):
            return pairs[stem]
    return None


def _values(pairs: Pairs, schema: Schema) -> tuple[Pairs, tuple[str, ...]]:
    """What each completion has beside its text: numbers, and its source."""
    numeric = {
        stem: pair
        for stem, pair in pairs.items()
        if stem and (SCORE_NAME.search(stem) or all(is_numeric(schema[name]) for name in pair))
    }
    reserved = {*ROW_COLUMNS, "preferred", "margin", "__row"}
    numeric = {stem: pair for stem, pair in numeric.items() if stem not in reserved and stem not in _TEXT_STEMS}
    named = next((pairs[stem] for stem in SOURCE_NAMES if stem in pairs and stem not in numeric), None)
    return numeric | ({} if named is None else {"source": named}), tuple(numeric)


def _rewards(numeric: tuple[str, ...], schema: Schema) -> tuple[Weights, tuple[str, ...]]:
    scores = tuple(stem for stem in numeric if SCORE_NAME.search(stem))
    if scores:
        return (*weighted(scores), ("preferred", 0.0)), (weights_note(weighted(scores)),)
    if "margin" in schema:
        if not is_numeric(schema["margin"]):
            raise TableError(f"column 'margin' holds {schema['margin']}, not numbers. Drop it or make it numeric.")
        note = "no scores but a margin: the chosen counts it, the rejected 0, so only differences in a pair mean much."
        return (("margin", 1.0), ("preferred", 0.0)), (note,)
    note = "no scores: the chosen counts 1, the rejected 0. Only the order is known, so sizes of gaps mean nothing."
    return (("preferred", 1.0),), (note,)


def _side(side: int, values: Pairs, schema: Schema, *, with_margin: bool) -> pl.Expr:
    fields = [pl.col(f"__{side}").alias("completion"), pl.lit(1.0 - side).alias("preferred")]
    fields += [
        (pl.col(pair[side]).cast(pl.Float64) if is_numeric(schema[pair[side]]) else pl.col(pair[side])).alias(name)
        for name, pair in values.items()
    ]
    if with_margin:
        margin = pl.col("margin").cast(pl.Float64)
        fields.append((margin if side == 0 else margin * 0.0).alias("margin"))
    return pl.struct(fields)


def _recognise(sample: FileSample) -> str | None:
    pairs = pairs_of(sampled_columns(sample))
    for stem in _TEXT_STEMS:
        if stem in pairs and all(holds_text(sample, name) for name in pairs[stem]):
            return f"columns {pairs[stem][0]} and {pairs[stem][1]}"
    return None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:  # noqa: ARG001 - the reader protocol
    frame, notes = scan_tables(paths)
    reading = expand(frame, notes)
    if reading is None:
        raise TableError(f"{paths[0]} has no columns 'chosen' and 'rejected' with texts. Give --format plain.")
    return reading


PREFERENCES = Format(name="preferences", title="preference pairs", recognise=_recognise, read=_read)
