"""The main job: a table of rollouts in, the audit of its rewards out.

`audit` reads the table, scores every behaviour under every reward column and under their weighted sum (the effective
reward, Lemma 4.2), and asks of each where it is tied, how near the cliff is, what would push it over and what that
costs. The result is one tree of JSON types (`Audit.to_dict`), whose keys `docs/reference/audit-json.md` documents; the
terminal table and the HTML page are functions of it.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.drop_list import DROP_LIST_SCHEMA
from policycliff.rollouts.analyses.sample import embedded
from policycliff.rollouts.analyses.verdict import verdict
from policycliff.rollouts.analyses.whole import WholeTable, whole_table
from policycliff.rollouts.intervals import RESAMPLES, finished
from policycliff.rollouts.parts.opened import Work, opened_parts
from policycliff.rollouts.parts.parts import Parts, audit_parts, survey_parts
from policycliff.rollouts.progress import Progress, silent, within
from policycliff.rollouts.reading.about import AboutTable, size_notes
from policycliff.rollouts.reading.load import nothing_left
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings, setting_names
from policycliff.rollouts.table import SkippedRows

SCHEMA_VERSION = 1

DROP_LIST_LIMIT = 100_000
"""Prompts of the drop list that the result holds; `Audit.drop_list` has all."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Result of an audit.

    Attributes:
        result: The whole result as JSON types.
        drop_list: Every prompt that trains nothing or the wrong thing: columns `prompt`, `reason`, `row`, `step`.
    """

    result: dict[str, Any]
    drop_list: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=DROP_LIST_SCHEMA), compare=False)

    @property
    def verdict(self) -> list[dict[str, Any]]:
        """The findings in plain words, ties first and then by severity: `statement`, `severity`, `figure`, `text`."""
        return self.result["verdict"]

    def to_dict(self) -> dict[str, Any]:
        """The whole result as JSON types."""
        return self.result

    def __repr__(self) -> str:
        counts = self.result["counts"]
        lines = [f"Audit of {counts['prompts']} prompts, {counts['completions']} completions"]
        return "\n".join([*lines, *(f"  [{item['severity']}] {item['text']}" for item in self.verdict)])


def audit(
    table: Any,
    *,
    executor: str | None = None,
    temporary_folder: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Audit:
    """Audit a table of rollouts.

    Args:
        table: Path of a Parquet, JSON Lines or CSV file, a directory or glob of them; or a Polars or pandas frame, an
            Arrow table or a Hugging Face Dataset.
        executor: Where the work is done: `memory`, `disk` (in parts, for a table larger than memory) or `ray` (in parts
            on a Ray cluster); None chooses between the first two by the table's size.
        temporary_folder: Where the parts are put meanwhile; None for the system's folder of temporary files.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`. `rewards`, `derive`, `max_reward`, `noise` and `rerun` may be given as
            dictionaries; `rewards` also as a list of column names, each of weight 1; `noise` also as a number.

    Returns:
        The audit; see `docs/reference/audit-json.md`.

    Raises:
        TableError: The table is broken, empty or lacks a column.
        InvalidInputError: An option cannot be right.
        SourceNotFoundError: No such file.
        MissingExtraError: The executor needs a library that is not installed.

    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "prompt": ["2+2?", "2+2?", "2+2?"], "completion": ["4", "four", "5"], "passes": [1.0, 1.0, 0.0]
    ... })
    >>> figures = audit(table, rewards=["passes"]).to_dict()["rewards"]["passes"]
    >>> figures["tied_share"]["value"], figures["tied_size_mean"]["value"]
    (1.0, 2.0)
    """
    work = Work(executor=executor, folder=None if temporary_folder is None else Path(temporary_folder))
    return audit_table(table, settings_from_options(options), work, progress)


def settings_from_options(options: dict[str, Any]) -> AuditSettings:
    """Settings from keyword options; dictionaries, lists of names and a single number are accepted where they fit."""
    known = setting_names()
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InvalidInputError(f"audit has no option {unknown[0]!r}; its options are {', '.join(sorted(known))}.")
    plain = dict(options)
    rewards = plain.get("rewards", ())
    if isinstance(rewards, str):
        plain["rewards"] = ((rewards, 1.0),)
    elif not isinstance(rewards, dict):
        plain["rewards"] = tuple((item, 1.0) if isinstance(item, str) else tuple(item) for item in rewards)
    breakers = plain.get("tie_breakers", ())
    plain["tie_breakers"] = (breakers,) if isinstance(breakers, str) else tuple(breakers)
    if isinstance(plain.get("noise"), int | float):
        plain["noise"] = (("*", float(plain["noise"])),)
    for name in ("rewards", "derive", "max_reward", "rerun", "noise"):
        if isinstance(plain.get(name), dict):
            plain[name] = tuple(plain[name].items())
    return AuditSettings(**plain, named=frozenset(options))


def audit_table(
    table: Any, settings: AuditSettings, work: Work | None = None, progress: Progress | None = None
) -> Audit:
    """As `audit`, with settings that are made already."""
    report = progress or silent
    with opened_parts(table, settings, work or Work(), report) as (parts, about):
        return _audit_parts(parts, about, report)


def _audit_parts(parts: Parts, about: AboutTable, report: Progress) -> Audit:
    settings, weights = about.settings, dict(about.rewards)
    start, middle = (0.1, 0.15) if parts.count == 1 else (0.35, 0.6)
    surveyed = survey_parts(parts, settings, within(report, start, middle))
    whole = whole_table(surveyed.figures, weights, settings)
    _require_prompts(whole, about, surveyed.figures["skipped"])
    tree = audit_parts(parts, surveyed, whole, settings, within(report, middle, 0.95))
    report("intervals", 0.95)
    figures = finished(tree, n_prompts=whole.prompts, seed=settings.seed)
    report("verdict", 0.98)
    dropped = figures.pop("drop_list")
    listed = dropped.head(DROP_LIST_LIMIT).to_dicts()
    figures["advice"] |= {"drop_list": listed, "drop_list_counts": _by_reason(dropped)}
    figures["sample"] = embedded(figures["sample"], places=settings.embed - len(figures["prompts_to_look_at"]))
    beta, origin = whole.beta
    figures["counts"] = {"rows_read": about.rows_read} | figures["counts"]
    result = {
        "schema_version": SCHEMA_VERSION,
        "settings": _settings(about, parts, surveyed.figures["group_sizes"]),
        **figures,
        "beta": {"value": beta, "origin": origin},
    }
    result["verdict"] = verdict(result)
    report("done", 1.0)
    return Audit({key: result[key] for key in _ORDER}, dropped)


def _by_reason(dropped: pl.DataFrame) -> dict[str, int]:
    return dict(dropped.group_by("reason").len().sort("reason").iter_rows())


def _require_prompts(whole: WholeTable, about: AboutTable, skipped: Mapping[tuple[str, str], int]) -> None:
    if whole.prompts == 0:
        raise nothing_left(
            about.rows_read, [SkippedRows(reason, count, unit) for (reason, unit), count in skipped.items()]
        )
    if whole.rewards[EFFECTIVE].prompts == 0:
        raise TableError(
            "no prompt has two completions with a usable effective reward. Check --group (prompts with one completion "
            "cannot be audited) and --missing (omit leaves out completions that lack one of the scores)."
        )


def _settings(about: AboutTable, parts: Parts, sizes: Mapping[int, int]) -> dict[str, Any]:
    packages = ("policycliff", "numpy", "polars", "scipy")
    return {
        **about.settings.to_dict(),
        "rewards": dict(about.rewards),
        "table": about.source,
        "format": about.format,
        "recognised_by": about.recognised_by,
        "columns": about.columns,
        "notes": [*about.column_notes, *size_notes(sizes, about.columns), *_part_notes(parts)],
        "executor": parts.executor,
        "parts": parts.count,
        "bootstrap_resamples": RESAMPLES,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }


def _part_notes(parts: Parts) -> list[str]:
    if parts.count == 1:
        return []
    return [
        f"audited in {parts.count} parts: the figures are those of the whole table but for rounding; probabilities of "
        "flips are simulated, each part by draws of its own."
    ]


_ORDER = (
    "schema_version", "settings", "counts", "verdict", "rewards", "pairs", "beta", "mixed_sources_share", "weights",
    "truth", "steps", "normalisation", "advice", "prompts_to_look_at", "sample",
)  # fmt: skip
