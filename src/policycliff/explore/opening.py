"""The table of a saved audit, read again with the audit's settings, and refused where it is not the same any more."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from policycliff.errors import InvalidInputError, SourceNotFoundError, TableError
from policycliff.explore.index import Chosen, Index, chooser, index_of
from policycliff.explore.prompt import Loader
from policycliff.report.redact import MARK
from policycliff.rollouts.analyses.whole import WholeTable, whole_table
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.parts.on_disk import PartsOnDisk
from policycliff.rollouts.parts.opened import Work, opened_parts
from policycliff.rollouts.parts.parts import PartInMemory, Parts, survey_parts
from policycliff.rollouts.progress import Progress, within
from policycliff.rollouts.reading.about import AboutTable
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings, setting_names
from policycliff.rollouts.table import RolloutTable

_ROLES = ("prompt", "group", "step", "completion", "source", "behaviour", "truth")
_REMEDY = "Give the audit's own table with --table, or write the audit again: policycliff audit TABLE --json OUT."


@dataclass(frozen=True, slots=True)
class Exploration:
    """An audit and its table, ready to be looked through.

    Attributes:
        result: The audit.
        settings: What it was asked, completed by what the files' format fixes.
        weights: Of its rewards.
        whole: What is known of the whole table.
        index: Its prompts.
        chosen: Chooses among them.
        part: Gives a part of the table.
    """

    result: Mapping[str, Any]
    settings: AuditSettings
    weights: dict[str, float]
    whole: WholeTable
    index: Index
    chosen: Chosen
    part: Loader


def require_texts(result: Mapping[str, Any]) -> None:
    """Refuse a redacted audit.

    Raises:
        InvalidInputError: It does not say which table it is of.
    """
    if result["settings"]["table"] == MARK:
        raise InvalidInputError(
            "the audit was redacted: it does not say how its table is read. Give the audit as it was before --redact."
        )


def asked_settings(saved: Mapping[str, Any]) -> AuditSettings:
    """What the user asked of an audit: its saved settings, less what a format fixed and what was guessed.

    Readers of formats look at what is given, so the table would be read otherwise if their own choices came back.
    """
    options = {name: saved[name] for name in setting_names() if name in saved}
    columns = saved["columns"]
    for role in _ROLES:
        if columns[role]["origin"] != "given":
            options[role] = None
    if columns["group"]["size_origin"] != "given":
        options["group_size"] = None
    if any(reward["origin"] != "given" for reward in columns["rewards"]):
        options["rewards"] = ()
    return settings_from_options(options)


@contextmanager
def opened_exploration(
    result: Mapping[str, Any], tables: Sequence[str], work: Work, report: Progress
) -> Iterator[Exploration]:
    """The exploration of an audit while it is needed.

    Args:
        result: The audit.
        tables: Where its table is now; nothing for where it was.
        work: Where the table is held.
        report: Called as work goes on.

    Raises:
        SourceNotFoundError: The table is gone.
        TableError: It cannot be read, or has changed.
        InvalidInputError: The saved settings or the temporary folder cannot be right.
    """
    saved = result["settings"]
    with ExitStack() as stack:
        with _with_remedy():
            given = list(tables) or _place_of(saved)
            parts, about = stack.enter_context(
                opened_parts(given, asked_settings(saved), work, within(report, 0.0, 0.4))
            )
            report("reading", 0.4)
            surveyed = survey_parts(parts, about.settings, within(report, 0.4, 0.7))
        weights = dict(about.rewards)
        whole = whole_table(surveyed.figures, weights, about.settings)
        _require_columns(about, saved)
        _require(_counts(about, whole.prompts), result["counts"])
        index = index_of(parts, surveyed, whole, about.settings, within(report, 0.7, 1.0))
        _require(_tallies(index), _saved_tallies(result))
        yield Exploration(result, about.settings, weights, whole, index, chooser(index), _loader(parts))


def _place_of(saved: Mapping[str, Any]) -> list[str]:
    """Where the table was: its path, without the name of its format behind it."""
    table = str(saved["table"])
    for place in (table, table.rpartition(" (")[0]):
        if place and Path(place).exists():
            return [place]
    raise SourceNotFoundError(f"the audited table, {table}, is not there.")


@contextmanager
def _with_remedy() -> Iterator[None]:
    try:
        yield
    except (SourceNotFoundError, TableError) as error:
        raise type(error)(f"{error} {_REMEDY}") from error


def _require_columns(about: AboutTable, saved: Mapping[str, Any]) -> None:
    """Refuse a table in which other columns play the parts."""
    found = {role: about.columns[role]["column"] for role in _ROLES} | {"rewards": dict(about.rewards)}
    then = {role: saved["columns"][role]["column"] for role in _ROLES} | {"rewards": saved["rewards"]}
    for role, column in found.items():
        if column != then[role]:
            told = f"{role} is {column or 'no column'}, and was {then[role] or 'no column'}"
            raise TableError(f"the table is not the one that was audited: {told}. {_REMEDY}")


def _counts(about: AboutTable, prompts: int) -> dict[str, int]:
    return {"rows_read": about.rows_read, "prompts": prompts}


def _tallies(index: Index) -> dict[str, int]:
    found = index.prompts.select(
        pl.col("completions").sum(),
        (pl.col("tied_size") > 1).sum().alias("tied prompts"),
        pl.col("zero_spread").sum().alias("prompts without spread"),
    )
    return {name: int(value) for name, value in found.row(0, named=True).items()}


def _saved_tallies(result: Mapping[str, Any]) -> dict[str, int]:
    effective = result["rewards"][EFFECTIVE]
    return {
        "completions": result["counts"]["completions"],
        "tied prompts": effective["tied_share"]["count"],
        "prompts without spread": effective["zero_spread_share"]["count"],
    }


def _require(found: Mapping[str, int], saved: Mapping[str, Any]) -> None:
    for name, value in found.items():
        if value != saved[name]:
            what = name.replace("_", " ")
            raise TableError(
                f"the table is not the one that was audited: {value} {what}, {saved[name]} then. {_REMEDY}"
            )


def _loader(parts: Parts) -> Loader:
    """Gives a part of the table; of parts on disk the last one is held, and one is read at a time."""
    if isinstance(parts, PartInMemory):
        only = parts.table
        return lambda _index: only
    if not isinstance(parts, PartsOnDisk):
        raise TypeError(f"parts in memory or on disk expected, got {type(parts).__name__}")
    lock, read = Lock(), lru_cache(maxsize=1)(parts.table)

    def load(index: int) -> RolloutTable:
        with lock:
            return read(index)

    return load
