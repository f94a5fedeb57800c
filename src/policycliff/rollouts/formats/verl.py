"""Rollout dumps of verl: `trainer.rollout_data_dir` and `trainer.validation_data_dir`, a file a step.

The V1 trainer writes `uid`, which names the prompt's draw, the session in it and the output in the session. The legacy
trainer has no such name: there the prompt's text is the group.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items, items_of_files, items_of_lines
from policycliff.rollouts.formats.shared.rewards import Weights, score_column, watched, watched_note
from policycliff.rollouts.formats.shared.values import Row, flat, json_text_or_none, number_of, text_of, whole_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_BASE = ("input", "output", "gts", "score", "step")
_UID = re.compile(r"(.+)_(\d{1,9})_(\d{1,9})", re.DOTALL)
_PADDING = r"^pad[0-9a-f]{32}$"
_HIDDEN = ("__uid", "__session", "__output", "__folder")
_SCHEMA = {
    "prompt": pl.String(),
    "completion": pl.String(),
    "gts": pl.String(),
    "score": pl.Float64(),
    "step": pl.Int64(),
    "__uid": pl.String(),
    "__session": pl.Int64(),
    "__output": pl.Int64(),
    "__folder": pl.String(),
}


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    if not all(set(_BASE) <= row.keys() for row in sample.rows) or not any(map(_is_dump, sample.rows)):
        return None
    return f"keys {', '.join(_BASE)} in every row"


def _is_dump(row: Row) -> bool:
    texts = isinstance(row["input"], str) and isinstance(row["output"], str)
    return texts and isinstance(row["step"], int) and isinstance(row["score"], int | float | None)


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    frame, empty = frame_of_items(items_of_files(paths, _items), _SCHEMA, path=paths[0], what="sample")
    frame, skipped = _trained_on(frame)
    folders = frame["__folder"].n_unique()
    named = frame["__uid"].null_count() < len(frame)
    if folders > 1 and not named and settings.group_size is not None:
        raise TableError(
            f"{paths[0]} and {paths[-1]} are in different folders and their rows have no uid, so blocks of group_size "
            "rows would mix them. Give one folder at a time."
        )
    grouped = named or folders > 1
    extras = [name for name in frame.columns if name not in _SCHEMA]
    rewards, reward_notes = _rewards(frame, extras)
    fixed: dict[str, Any] = {"step": "step", "prompt": "prompt", "completion": "completion", "rewards": rewards}
    if grouped:
        fixed["group"] = "group"
        frame = frame.with_columns(_group(several_folders=folders > 1))
    return Reading(
        frame=frame.drop(_HIDDEN).lazy(),
        fixed=fixed,
        notes=(*_group_notes(frame, settings), *(() if settings.rewards else reward_notes)),
        skipped=(*skipped, *empty),
    )


def _items(path: Path) -> Iterator[Item]:
    return items_of_lines(path, lambda row, where: [_row(row, where, path)])


def _row(row: Row, where: str, path: Path) -> Row:
    uid = row.get("uid")
    parts = _UID.fullmatch(uid) if isinstance(uid, str) else None
    names: Row = {"__uid": None, "__session": None, "__output": None}
    if parts is not None:
        names = {"__uid": parts[1], "__session": int(parts[2]), "__output": int(parts[3])}
    return {
        "prompt": text_of(row, "input", where),
        "completion": text_of(row, "output", where),
        "gts": json_text_or_none(row.get("gts")),
        "score": number_of(row, "score", where),
        "step": _step(row, where, path),
        **names,
        "__folder": str(path.parent),
        **{
            score_column(key, "extra", _SCHEMA): flat(value)
            for key, value in row.items()
            if key not in _BASE and (key != "uid" or parts is None)
        },
    }


def _step(row: Row, where: str, path: Path) -> int:
    """The step in the row; older dumps have it in the file's name alone."""
    name = path.name.split(".")[0]
    if "step" not in row and name.isdecimal() and len(name) < 18:
        return int(name)
    return whole_of(row, "step", where)


def _trained_on(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[SkippedRows, ...]]:
    """The rows without padding and without the outputs of a session before its last, which repeat its score."""
    padding = pl.col("__uid").str.contains(_PADDING).fill_null(value=False)
    session = ("__folder", "step", "__uid", "__session")
    earlier = (pl.col("__output") < pl.col("__output").max().over(session)).fill_null(value=False)
    marked = frame.select(padding=padding, earlier=earlier & ~padding)
    kept = frame.filter(~(marked["padding"] | marked["earlier"]))
    skipped = (
        SkippedRows("padding that verl adds to fill a batch", int(marked["padding"].sum())),
        SkippedRows("earlier output of a session: only its last one is scored", int(marked["earlier"].sum())),
    )
    return kept, tuple(item for item in skipped if item.count)


def _group(*, several_folders: bool) -> pl.Expr:
    name = pl.coalesce("__uid", "prompt")
    return (pl.concat_str(["__folder", pl.lit(": "), name]) if several_folders else name).alias("group")


def _group_notes(frame: pl.DataFrame, settings: AuditSettings) -> tuple[str, ...]:
    notes = []
    folders = frame["__folder"].n_unique()
    if folders > 1:
        notes.append(
            f"the files are in {folders} folders, and groups do not span them; if one holds validation dumps, audit "
            "it by itself: nothing is trained on those scores."
        )
    unnamed = frame["__uid"].null_count()
    if unnamed and settings.group_size is None:
        notes.append(
            f"{unnamed} rows have no uid (legacy trainer): all completions of one prompt in one step are one group, "
            "also if the prompt was drawn twice in that step."
        )
    elif unnamed:
        notes.append(
            "the rows have no uid (legacy trainer), so blocks of group_size follow the order in the file, which verl "
            "shuffles unless trainer.balance_batch is false. This matters for prompts drawn twice in a step."
        )
    return tuple(notes)


def _rewards(frame: pl.DataFrame, extras: list[str]) -> tuple[Weights, tuple[str, ...]]:
    """The score, the penalty that is added to it, and what the reward function returned beside it."""
    rewards: Weights = (("score", 1.0),)
    notes = []
    if _leaves_out_penalty(frame):
        rewards = (*rewards, ("overlong_reward", 1.0))
        notes.append(
            "'overlong_reward' (DAPO) has weight 1: verl adds it to the reward after it has logged 'score'. Name the "
            "rewards with --reward if your reward manager does not."
        )
    beside = [name for name in extras if name not in dict(rewards)]
    others = watched(frame, "score", beside)
    if others:
        notes += [
            *watched_note("score", others),
            "The file does not say which columns the score is made of; say it with --reward NAME=WEIGHT.",
        ]
    return (*rewards, *others), tuple(notes)


def _leaves_out_penalty(frame: pl.DataFrame) -> bool:
    """Whether the overlong penalty is still to be added to the score.

    It is when the reward function returns a dictionary, whose own score is logged in place of the sum. When it returns
    a number, that number is logged as `acc` and the sum as `score`.
    """
    if frame.schema.get("overlong_reward") != pl.Float64 or not (frame["overlong_reward"] != 0.0).any():
        return False
    if frame.schema.get("acc") != pl.Float64:
        return True
    added = (frame["acc"] + frame["overlong_reward"] - frame["score"]).abs() <= 1e-6
    return not bool(added.fill_null(value=True).all())


VERL = Format(name="verl", title="verl rollout dump", recognise=_recognise, read=_read)
