"""Rollouts that NeMo-RL writes in every step: `train_data_step{N}.jsonl` in the folder of its logger.

A line is one sample, and every value a list of one: `content` (the texts of its messages, without roles), `rewards`,
`input_lengths`, and in most versions `token_ids`, `token_loss_mask`, `sample_loss_mask`, `advantages` and log
probabilities by token. `token_loss_mask` is 1 on tokens that were generated: the tokens before the first of these are
the prompt, and an observation after the last is no part of the completion. NeMo-RL takes its baseline over the samples
of a step whose prompts are equal: these are a group.

`val_data_step{N}.jsonl` has `content` (messages with roles) and `rewards`; it is read if no training file is given.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.nemo_rl.line import Line, read_line
from policycliff.rollouts.formats.shared.float32 import score_type
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items
from policycliff.rollouts.reading.json_lines import json_objects
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_NAME = re.compile(r"(train|val)_data_step(\d{1,15})\.")
_TYPES = {"prompt": pl.String(), "completion": pl.String(), "agent": pl.String()} | dict.fromkeys(
    ("group", "step"), pl.Int64()
)
_ONE_REWARD = "NeMo-RL logs the total reward of a sample, after its scaling and shaping, not its components."
_FILTERED = (
    "dynamic sampling: filtered_rewards are the rewards of these samples, so they are taken; 'rewards' is of the batch "
    "before filtering and left out. Groups without spread were dropped before they were logged."
)
_EMPTY = "no sample: with dynamic sampling some versions write a line for each reward before filtering"
_FIRST_MESSAGE = (
    "the files have no token_loss_mask, so the first message is taken for the prompt and all others, also those of the "
    "environment, for the completion."
)


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    row = sample.rows[0]
    lists = [row.get("content"), row.get("rewards")]
    if not all(isinstance(value, list) and len(value) <= 1 for value in lists) or "idx" not in row:
        return None
    if isinstance(row.get("input_lengths"), list):
        return "keys content, rewards, input_lengths and idx, each with a list of one"
    return "the file's name and keys content, rewards and idx" if _NAME.match(sample.path.name) else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    validation = [path for path in paths if path.name.startswith("val_data_step")]
    training = [path for path in paths if path not in set(validation)]
    frame, empty = frame_of_items(
        _rows(training or validation), _TYPES, path=paths[0], what="sample", other=pl.Float64()
    )
    if "group" not in frame.columns and settings.group is None and settings.group_size is None:
        raise TableError(
            f"{paths[0]} has neither the texts nor the tokens of prompts, so nothing says which rows belong together. "
            "Give --group-size, the num_generations_per_prompt of the run."
        )
    filtered = "filtered_rewards" in frame.columns
    reward = "filtered_rewards" if filtered else "rewards"
    if filtered:
        frame = frame.with_columns(pl.coalesce("filtered_rewards", "rewards")).drop("rewards")
    frame = frame.with_columns(pl.col(reward).cast(score_type(frame[reward])))
    roles = [name for name in ("prompt", "group", "step", "completion") if name in frame.columns]
    skipped = SkippedRows("validation, which is not trained on; give val_data_step*.jsonl alone to audit it",
                          len(validation), "files")  # fmt: skip
    return Reading(
        frame=frame.lazy(),
        fixed={**{role: role for role in roles}, "rewards": ((reward, 1.0),)},
        notes=_notes(frame, filtered=filtered, validation=not training),
        skipped=((skipped,) if validation and training else ()) + empty,
    )


def _rows(paths: Sequence[Path]) -> Iterator[Item]:
    """Rows of all files; groups are numbered through."""
    n_groups = 0
    for path in paths:
        found = _NAME.match(path.name)
        step = None if found is None else int(found[2])
        numbers: dict[str, int] = {}
        for key, run in groupby(_lines(path), lambda line: None if line is None else line.prompt_key):
            lines = list(run)
            samples = [line for line in lines if line is not None]
            if len(samples) < len(lines):
                yield SkippedRows(_EMPTY, len(lines) - len(samples))
            if key is not None and key not in numbers:
                numbers[key] = n_groups
                n_groups += 1
            yield from _rows_of_run(samples, step, None if key is None else numbers[key])


def _rows_of_run(lines: list[Line], step: int | None, group: int | None) -> Iterator[Item]:
    """Rows with one prompt, and so with the same number of prompt messages, which are the same texts.

    Counting a sample's messages by its mask gives too many for the prompt where another message has no token.
    """
    prompts = min((line.prompt_messages for line in lines), default=0)
    alike = takewhile(lambda texts: len(set(texts)) == 1, zip(*(line.messages for line in lines), strict=False))
    prompts = min(prompts, max(sum(1 for _ in alike), 1))
    for line in lines:
        texts: dict[str, str | int | float | None] = {
            "prompt": "\n".join(line.messages[:prompts]) if prompts else None,
            "group": group,
            "step": step,
            "completion": "\n".join(_completion(line, prompts)),
        }
        yield {name: value for name, value in (texts | line.values).items() if value is not None or name == "rewards"}


def _completion(line: Line, prompts: int) -> list[str]:
    """From the first message after the prompt to the last that the policy wrote."""
    messages = line.messages[prompts : len(line.messages) - line.messages_after]
    return messages[:-1] if len(messages) > 1 and not messages[-1] else messages


def _lines(path: Path) -> Iterator[Line | None]:
    """The samples, None for a line without one."""
    for number, row in json_objects(path):
        empty = row.get("content") == [] and row.get("filtered_rewards") == []
        yield None if empty else read_line(row, f"{path}, line {number}")


def _notes(frame: pl.DataFrame, *, filtered: bool, validation: bool) -> tuple[str, ...]:
    notes = [_ONE_REWARD]
    if filtered:
        notes.append(_FILTERED)
    if "generated_tokens" not in frame.columns and not validation:
        notes.append(_FIRST_MESSAGE)
    if "sample_loss_mask" in frame.columns:
        masked = int((frame["sample_loss_mask"] == 0.0).sum())
        if masked:
            notes.append(f"{masked} samples have sample_loss_mask 0: they are in their groups but got no gradient.")
    if "group" in frame.columns:
        sizes = frame["group"].drop_nulls().value_counts()["count"]
        usual = int(sizes.mode().max())  # type: ignore[arg-type]
        other = int((sizes != usual).sum())
        notes.append(
            f"num_generations_per_prompt = {usual}, found from equal prompts of a step"
            + (
                f"; {other} of {len(sizes)} groups have another size (filtered, or a prompt drawn twice)."
                if other
                else "."
            )
        )
    return tuple(notes)


NEMO_RL = Format(name="nemo-rl", title="NeMo-RL rollouts", recognise=_recognise, read=_read)
