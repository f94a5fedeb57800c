"""The files of a run: canonical Parquet, one a call, each of which appears whole or not at all.

The name says step, part (the number of the call within the step) and rank. What an earlier session wrote of a step goes
when the step is recorded again: a run that is resumed from a checkpoint has no rollout twice.
"""

import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from policycliff.errors import InvalidInputError
from policycliff.integrations.live.rows import ROLES, TRUTH, Rows
from policycliff.rollouts.formats.canonical import METADATA_KEY, SAID, SCHEMA, said_of
from policycliff.rollouts.settings import AuditSettings

_NAME = re.compile(r"step-(\d+)-part-(\d+)-rank-(\d+)\.parquet")


class RolloutFiles:
    """The files of one folder, as one process writes them."""

    def __init__(self, folder: Path, settings: AuditSettings, *, rank: int, ranks: int) -> None:
        """Look at what is there.

        Raises:
            InvalidInputError: The folder holds rollouts of other rewards, or with other settings.
        """
        self.folder, self._rank = folder, rank
        self._said = said_of(settings)
        self._parts: dict[int, int] = {}
        self._earlier: dict[int, list[Path]] = {}
        self._has_truth: bool | None = None
        self._version = version("policycliff")
        found = sorted(folder.glob("step-*.parquet")) if folder.is_dir() else []
        for path in found:
            step, _, of_rank = _parsed(path)
            # The first process also clears up after those that are no more.
            if of_rank == rank or (rank == 0 and of_rank >= ranks):
                self._earlier.setdefault(step, []).append(path)
        if found:
            self._continue(found[-1])

    @property
    def is_empty(self) -> bool:
        """Whether there is no file."""
        return not any(self.folder.glob("step-*.parquet"))

    @property
    def last_step(self) -> int:
        """The greatest step that this process or one before it wrote; 0 without any."""
        return max([*self._parts, *self._earlier], default=0)

    def write(self, step: int, rows: Rows) -> None:
        """Write the rows of a call."""
        if self._has_truth is None:
            self._has_truth = rows.truth is not None
        part = self._parts.get(step, 0)
        if not self._parts:
            self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{step:08d}-part-{part:04d}-rank-{self._rank:05d}.parquet"
        for old in self._earlier.pop(step, ()):
            old.unlink(missing_ok=True)
        self._write(path, self._frame(step, part, rows))
        self._parts[step] = part + 1

    def _continue(self, path: Path) -> None:
        earlier = _fixed(path)
        own = self._said
        if "missing" not in earlier:
            # All files of a folder say the same, and earlier versions said nothing but the rewards.
            own = {"rewards": own["rewards"]}
        for name in SAID:
            if earlier.get(name) != own.get(name):
                raise InvalidInputError(
                    f"{self.folder} holds rollouts with {name} = {earlier.get(name)}, not {own.get(name)}. Record into "
                    "another folder."
                )
        self._said = own
        self._has_truth = TRUTH in earlier

    def _frame(self, step: int, part: int, rows: Rows) -> pl.DataFrame:
        count = int(rows.group.max(initial=-1)) + 1
        names = rows.names or [f"group {number}" for number in range(count)]
        place = "".join([f", part {part}"] * (part > 0) + [f", rank {self._rank}"] * (self._rank > 0))
        groups = np.array([f"step {step}, {name}{place}" for name in names], dtype=object)
        frame: dict[str, Any] = {
            "prompt": pl.Series(rows.prompts, dtype=pl.String),
            "group": pl.Series(groups[rows.group].tolist(), dtype=pl.String),
            "step": pl.Series([step] * len(rows.group), dtype=pl.Int64),
            "completion": pl.Series(rows.completions, dtype=pl.String),
            **rows.scores,
        }
        if self._has_truth:
            missing = pl.Series([None] * len(rows.group), dtype=pl.Float64)
            frame[TRUTH] = missing if rows.truth is None else rows.truth
        elif rows.truth is not None:
            raise InvalidInputError(
                f"{self.folder} was begun without the truth, and all files of a folder must agree on it. Give it from "
                "the first step on."
            )
        return pl.DataFrame(frame | rows.columns)

    def _write(self, path: Path, frame: pl.DataFrame) -> None:
        fixed: dict[str, Any] = {name: name for name in ROLES} | self._said
        if self._has_truth:
            fixed[TRUTH] = TRUTH
        described = {
            "schema": SCHEMA,
            "policycliff": self._version,
            "format": "recorder",
            "fixed": fixed,
            "notes": [],
            "skipped": [],
        }
        staged = self.folder / f".{path.name}.{os.getpid()}.part"
        try:
            # Snappy takes half the time of the default, Zstandard, for files half as large again.
            metadata = {METADATA_KEY: json.dumps(described, ensure_ascii=False)}
            frame.write_parquet(staged, compression="snappy", metadata=metadata)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


def _parsed(path: Path) -> tuple[int, int, int]:
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise InvalidInputError(f"{path} is no file of the recorder. Record into a folder of its own.")
    step, part, rank = found.groups()
    return int(step), int(part), int(rank)


def _fixed(path: Path) -> dict[str, Any]:
    described = json.loads(pl.read_parquet_metadata(path).get(METADATA_KEY, "{}"))
    return dict(described.get("fixed", {}))
