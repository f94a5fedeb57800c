"""Samples of lm-evaluation-harness: `samples_{task}_{date}.jsonl`, written with `--log_samples`.

A line is a document under one filter. Of tasks that generate, the responses of several files (models or runs) to one
document compete, and its metrics are the rewards. Of multiple choice, the choices of a document compete within one
file: the log-likelihood is the reward, and the right choice is the truth.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS, FileSample, Format, Reading
from policycliff.rollouts.formats.lm_eval.documents import Document, choices_of, document_of, response_of
from policycliff.rollouts.formats.lm_eval.file_names import source_of, task_of
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items
from policycliff.rollouts.formats.shared.rewards import watched, watched_note
from policycliff.rollouts.formats.shared.values import Value
from policycliff.rollouts.reading.json_lines import json_objects
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import SkippedRows

_KEYS = frozenset({"doc_id", "doc", "arguments", "resps", "filtered_resps"})
_RESULTS = frozenset({"results", "configs", "versions"})
_TEXTS = ("__task", "__doc", "__hash", "__filter", "prompt", "completion", "source")
_TYPES = {name: pl.String() for name in _TEXTS} | {"__file": pl.Int64(), "__draw": pl.Int64()}
_RESERVED = {*ROW_COLUMNS, EFFECTIVE}


def _recognise(sample: FileSample) -> str | None:
    if sample.container == "JSON" and sample.rows and sample.rows[0].keys() >= _RESULTS:
        return "results of lm-evaluation-harness"
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    found = all(row.keys() >= _KEYS for row in sample.rows)
    return f"keys {', '.join(sorted(_KEYS))}" if found else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    samples = [path for path in paths if not path.name.startswith("results_")]
    if not samples:
        raise TableError(
            f"{paths[0]} holds results, not samples. Evaluate with --log_samples and give samples_*.jsonl."
        )
    frame, skipped = frame_of_items(_items(samples), _TYPES, path=samples[0], what="document", other=pl.Float64())
    for kind, read in (("loglikelihood", _of_choices), ("completion", _of_responses)):
        if kind in frame.columns:
            return read(frame, skipped, samples[0], settings)
    raise TableError(f"{samples[0]} has no documents with responses or choices; perplexity tasks cannot be audited.")


def _items(paths: Sequence[Path]) -> Iterator[Item]:
    """Rows of all files: a response a document and filter, or a row a choice; one kind only."""
    kinds: dict[bool, Path] = {}
    for number, path in enumerate(paths):
        task, source = task_of(path), source_of(path)
        filters: dict[str, str] = {}
        draws: Counter[tuple[str, str]] = Counter()
        for line, row in json_objects(path):
            document = document_of(row, f"{path}, line {line}")
            kinds.setdefault(document.generated, path)
            if len(kinds) > 1:
                raise TableError(
                    f"{kinds[True]} holds responses and {kinds[False]} likelihoods of choices. Give files of one task, "
                    f"such as '{path.parent.parent}/*/samples_{task or 'TASK'}_*.jsonl'."
                )
            draws[document.doc_id, document.filter] += 1
            key: dict[str, Value] = {
                "__file": number,
                "__task": task,
                "__doc": document.doc_id,
                "__hash": document.doc_hash,
                "__draw": draws[document.doc_id, document.filter],
                "prompt": document.prompt,
                "source": source,
            }
            if document.generated:
                yield from _generated_rows(key, document)
            elif filters.setdefault(document.doc_id, document.filter) == document.filter:
                yield from _choice_rows(key, document)


def _generated_rows(key: dict[str, Value], document: Document) -> Iterator[Item]:
    yield {**key, "completion": response_of(document), **document.metrics}
    if document.n_responses > 1:
        yield SkippedRows("several responses, which lm-eval scores together: read as one completion", 1, "documents")
    if document.n_other_metrics:
        reason = "metrics that are no number a document (lists, objects)"
        yield SkippedRows(reason, document.n_other_metrics, "values")


def _choice_rows(key: dict[str, Value], document: Document) -> Iterator[Item]:
    choices = choices_of(document)
    if len(choices) < 2:
        yield SkippedRows("one likelihood only, so nothing competes", 1, "documents")
    for choice in choices if len(choices) > 1 else []:
        yield key | choice


def _of_responses(
    frame: pl.DataFrame, skipped: tuple[SkippedRows, ...], first: Path, settings: AuditSettings
) -> Reading:
    metrics = [name for name in frame.columns if not name.startswith("__") and name not in _TYPES]
    scored = [name for name in metrics if frame[name].null_count() < len(frame)]
    if not scored:
        raise TableError(f"{first} has no metric with a number a document, so there is no reward to audit.")
    # The lines of one response under several filters are one row with a metric a filter.
    key = ["__file", "__task", "__doc", "__hash", "__draw"]
    merged = frame.group_by(key, maintain_order=True).agg(pl.exclude(key).drop_nulls().first())
    rows, notes = _grouped(merged, ["__task", "__doc"])
    named = _short_names(scored)
    rows = rows.rename(named)
    largest = int(rows.group_by("group").len()["len"].max())  # type: ignore[arg-type]
    if largest < 2 and settings.group is None and settings.group_size is None:
        raise TableError(
            f"{first}: one response a document, so nothing competes (lm-eval scores repeats of a document together). "
            "Give the samples of the same task by several models or runs: 'results/*/samples_TASK_*.jsonl'."
        )
    filled = sorted(named.values(), key=lambda name: rows[name].null_count())
    others = watched(rows, filled[0], filled[1:])
    rewards = ((filled[0], 1.0), *others)
    if len(filled) > 1:
        notes = (*notes, f"{filled[0]!r} is audited as the reward (weight 1).", *watched_note(filled[0], others))
    fixed = {"prompt": "prompt", "group": "group", "completion": "completion", "source": "source", "rewards": rewards}
    return Reading(frame=_shown(rows), fixed=fixed, notes=notes, skipped=skipped)


def _of_choices(
    frame: pl.DataFrame, skipped: tuple[SkippedRows, ...], _first: Path, settings: AuditSettings
) -> Reading:
    rows, _ = _grouped(frame, ["__task", "__doc", "__file", "__draw"])
    rewards = (("loglikelihood", 1.0), ("loglikelihood_per_character", 0.0))
    fixed: dict[str, Any] = {name: name for name in ("prompt", "group", "completion", "source")}
    fixed["rewards"] = rewards
    known = rows["correct"].is_not_null()
    given = {name for name, _ in settings.rewards}
    if known.any() and "correct" not in given:
        fixed["truth"] = "correct"
    notes = ["multiple choice: the choices of a document compete, with the model's log-likelihood as the reward."]
    if not known.all():
        notes.append(f"{int((~known).sum())} choices are of documents whose target is not clear: no 'correct' there.")
    return Reading(frame=_shown(rows), fixed=fixed, notes=tuple(notes), skipped=skipped)


def _grouped(frame: pl.DataFrame, key: list[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The rows with their group; documents of one number but other contents do not compete."""
    notes: tuple[str, ...] = ()
    if not frame["__hash"].null_count():
        documents = frame.select("__task", "__doc", "__hash").unique()
        unlike = documents.select("__task", "__doc").is_duplicated().sum()
        if unlike:
            notes = (f"{unlike} documents share a number but differ in content, so they do not compete.",)
        key = [*key, "__hash"]
    parts = [pl.col(name).str.slice(0, 16) if name == "__hash" else pl.col(name).cast(pl.String) for name in key]
    return frame.with_columns(pl.concat_str(parts, separator="/").alias("group")), notes


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """`metric,filter` as lm-eval writes it, `metric` alone where it has one filter.

    >>> _short_names(["acc,none", "em,strict", "em,flexible"])
    {'acc,none': 'acc', 'em,strict': 'em,strict', 'em,flexible': 'em,flexible'}
    """
    metrics = Counter(name.rpartition(",")[0] for name in names)
    plain = {name: name.rpartition(",")[0] for name in names}
    return {name: name if metrics[short] > 1 or short in _RESERVED else short for name, short in plain.items()}


def _shown(frame: pl.DataFrame) -> pl.LazyFrame:
    return frame.select(pl.exclude("^__.*$")).lazy()


LM_EVAL = Format(name="lm-eval", title="lm-evaluation-harness samples", recognise=_recognise, read=_read)
