"""`policycliff behaviours`: completions that are alike are one behaviour; what that does to the verdict on ties."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.aspects import aspects_of
from policycliff.rollouts.questions.behaviours.embedded import Embed
from policycliff.rollouts.questions.behaviours.exact_best import scorer_for
from policycliff.rollouts.questions.behaviours.shown import tables_of
from policycliff.rollouts.questions.behaviours.study import layout_prompts, study
from policycliff.rollouts.questions.behaviours.sweep import Ordered
from policycliff.rollouts.questions.behaviours.texts import along_walk, distinct_texts
from policycliff.rollouts.questions.behaviours.walk import Walk, walk
from policycliff.rollouts.questions.behaviours.way import Compared, Way, compared
from policycliff.rollouts.questions.behaviours.words import findings_of, limits_of
from policycliff.rollouts.questions.behaviours.written import write_behaviours
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import effective_reward_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64


def behaviours(
    table: Any,
    *,
    model: str | Path | None = None,
    embedding: str | None = None,
    embed: Embed | None = None,
    method: str | None = None,
    ngram: int = 2,
    threshold: float | None = None,
    grid: tuple[float, float, int] | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Group the completions of each prompt by likeness, and ask how the verdict on ties depends on the threshold.

    Give one of `model`, `embedding`, `embed` and `method`.

    Args:
        table: As in `policycliff.audit`.
        model: Folder of a sentence embedding model with weights in safetensors; nothing is downloaded.
        embedding: Column with a vector, a list of numbers, in each row.
        embed: A function from a list of texts to an array with a row a text.
        method: `jaccard` compares the words themselves.
        ngram: Words a run, for Jaccard.
        threshold: Similarity from which two completions count as one behaviour; by default the middle of the widest
            range of thresholds that leaves the share of tied prompts within its interval.
        grid: Least and greatest threshold to try, and how many.
        out: Parquet file to write, with the behaviours as a column.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`. `behaviour` names what the groups are checked against.

    Raises:
        TableError: The table is broken, lacks a column, or has no two completions to compare.
        InvalidInputError: An option cannot be right, or the model cannot be used.
        MissingExtraError: A model, without the packages of the extra `embed`.

    >>> import polars as pl
    >>> texts = ["It is 4", "it is 4", "5"]
    >>> frame = pl.DataFrame({"prompt": ["p"] * 3, "completion": texts, "reward": [1.0, 1.0, 0.0]})
    >>> chosen = behaviours(frame, method="jaccard", threshold=0.9).to_dict()["figures"]["chosen"]
    >>> chosen["behaviours"]["value"], chosen["tied_share"]["value"]
    (2.0, 0.0)
    """
    way = Way(
        model=None if model is None else Path(model),
        embedding=embedding,
        embed=embed,
        method=method,
        ngram=ngram,
        threshold=threshold,
        grid=grid,
    )
    target = None if out is None else Path(out)
    return ask_behaviours(table, settings_from_options(options), way, out=target, progress=progress)


def ask_behaviours(
    table: Any, settings: AuditSettings, way: Way, *, out: Path | None = None, progress: Progress | None = None
) -> Answer:
    """As `behaviours`, with settings made already."""
    report = progress or (lambda _stage, _share: None)
    _require_out(out, settings)
    loaded = load_rollouts(table, settings)
    texts = distinct_texts(loaded.table)
    if len(texts.first_row) == loaded.table.n_groups:
        raise TableError("every prompt has one distinct completion only, so there is nothing to compare.")
    against = compared(table, loaded, texts, way, lambda done: report("vectors", 0.1 + 0.4 * done))
    found = walk(
        texts.offsets,
        against.likeness,
        depth=against.depth,
        report=lambda done: report("similarities", 0.5 + 0.2 * done),
    )
    moved, place, rows = along_walk(loaded.table, texts, found)
    ordered = _ordered(loaded, moved, place, found)
    known = None if loaded.settings.behaviour is None else loaded.table.behaviour[rows]
    done = study(
        ordered,
        against,
        way,
        known=known,
        seed=loaded.settings.seed,
        report=lambda done: report("thresholds", 0.7 + 0.25 * done),
    )
    figures = _head(loaded, ordered, against) | done
    written = None if out is None else write_behaviours(table, loaded, ordered, figures["threshold"], out)
    return _answer(loaded, figures | {"column": written}, way, out)


def _require_out(out: Path | None, settings: AuditSettings) -> None:
    if out is not None and settings.sample is not None:
        raise InvalidInputError("a file of behaviours needs every prompt. Leave out sample, or out.")
    if out is not None and out.suffix.lower() != ".parquet":
        raise InvalidInputError(f"{out}: the behaviours are written as Parquet; give a name that ends in .parquet.")


def _ordered(loaded: LoadedRollouts, moved: RolloutTable, place: Int64[np.ndarray, " rows"], found: Walk) -> Ordered:
    weights = dict(loaded.rewards)
    if not any(weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no effective reward. Give one a weight.")
    reward = effective_reward_of(moved, weights, loaded.settings)
    aspects = list(aspects_of(replace(loaded, table=moved)))
    ordered = Ordered(moved, place, found, reward, scorer_for(reward, moved), aspects)
    if not len(layout_prompts(ordered)):
        raise TableError("no prompt has two completions with a usable effective reward. Check --group and --missing.")
    return ordered


def _head(loaded: LoadedRollouts, ordered: Ordered, against: Compared) -> dict[str, Any]:
    vectors = against.embedded
    return {
        "prompts": len(layout_prompts(ordered)),
        "completions": loaded.table.n_rows,
        "method": against.method,
        "aspects": [aspect.name for aspect in ordered.aspects],
        "known": loaded.settings.behaviour,
        "vectors": None
        if vectors is None
        else {
            "texts": len(vectors.vectors),
            "missing": vectors.missing,
            "cut": vectors.cut,
            "most_tokens": vectors.most_tokens,
            "differing": vectors.differing,
        },
    }


def _answer(loaded: LoadedRollouts, figures: dict[str, Any], way: Way, out: Path | None) -> Answer:
    asked = {
        "model": None if way.model is None else str(way.model),
        "embedding": way.embedding,
        "embed": None if way.embed is None else "a function",
        "method": way.method,
        "ngram": way.ngram,
        "threshold": way.threshold,
        "grid": way.grid,
        "out": None if out is None else str(out),
    }
    return answer(
        "behaviours",
        f"How many behaviours {figures['prompts']:,} prompts have, by {figures['method']}",
        tables=tables_of(figures),
        findings=findings_of(figures),
        figures=figures,
        settings=settings_of(loaded) | asked,
        limits=limits_of(figures),
    )
