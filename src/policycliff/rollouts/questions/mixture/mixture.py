"""`policycliff mixture`: what each class of data contributes, and what their proportions decide."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.intervals import with_intervals
from policycliff.rollouts.layout import layout_of
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.aspects import aspects_of
from policycliff.rollouts.questions.mixture.classes import load_with_classes, proportions_of, require_known
from policycliff.rollouts.questions.mixture.completeness import left_out_figures
from policycliff.rollouts.questions.mixture.curves import average_curve
from policycliff.rollouts.questions.mixture.effective import mixed_reward
from policycliff.rollouts.questions.mixture.headline import COUNTED, TIED, Measure
from policycliff.rollouts.questions.mixture.mixing import Mixing, mixing_of
from policycliff.rollouts.questions.mixture.shown import tables_of
from policycliff.rollouts.questions.mixture.study import (
    Study,
    class_figures,
    contributions,
    left_out,
    mixture_figures,
)
from policycliff.rollouts.questions.mixture.walls import wall_figures
from policycliff.rollouts.questions.mixture.words import findings_of
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.settings import AuditSettings


def mixture(
    table: Any,
    *,
    class_column: str | None = None,
    class_of: str | None = None,
    class_rewards: Mapping[str, str] | None = None,
    proportions: Mapping[str, float] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Ask what each class of data contributes to a mixture, and what the proportions of the classes decide.

    Args:
        table: As for `policycliff.audit`.
        class_column: Column that names the data class.
        class_of: `source` takes the source column for it.
        class_rewards: Reward of a class, an SQL expression over the columns; by default the rewards of the options.
        proportions: Probability of a class; by default its share of the prompts, or of what the others leave.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`, as for `policycliff.audit`.

    Raises:
        TableError: The table is broken, empty or lacks a column.
        InvalidInputError: An option or a class cannot be right.

    >>> import polars as pl
    >>> frame = pl.DataFrame({
    ...     "prompt": ["p", "p", "q", "q"], "completion": ["a", "b", "c", "d"],
    ...     "kind": ["maths", "maths", "chat", "chat"], "reward": [1.0, 1.0, 1.0, 0.0]
    ... })
    >>> mixture(frame, class_column="kind").to_dict()["figures"]["mixture"]["tied"]["value"]
    0.5
    """
    return run_mixture(
        table,
        settings_from_options(options),
        class_column=class_column,
        class_of=class_of,
        class_rewards=class_rewards,
        proportions=proportions,
        progress=progress,
    )


def run_mixture(
    table: Any,
    settings: AuditSettings,
    *,
    class_column: str | None = None,
    class_of: str | None = None,
    class_rewards: Mapping[str, str] | None = None,
    proportions: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Answer:
    """As `mixture`, with settings made already."""
    if (class_column is None) == (class_of is None):
        raise InvalidInputError("say what the data class of a row is: either --class COL or --class-of source.")
    if class_of not in {None, "source"}:
        raise InvalidInputError(f"class_of must be source, got {class_of!r}; name another column with --class.")
    report, formulas = progress or _no_progress, dict(class_rewards or {})
    loaded, classes = load_with_classes(table, settings, class_column, formulas)
    given = dict(proportions or {})
    require_known(given, classes.names, "proportion")
    mixing = mixing_of(loaded, classes, frozenset(formulas))
    report("mixture", 0.2)
    study = _study(loaded, mixing, given)
    figures = _figures(study, report) | left_out_figures(loaded.table, classes, study.layout)
    named = {"class": class_column or loaded.settings.source or "source", "class_rewards": formulas}
    return answer(
        "mixture",
        f"What {len(classes.names)} classes by {named['class']} contribute to their mixture",
        tables=tables_of(figures),
        findings=findings_of(figures),
        figures=figures,
        settings=settings_of(loaded) | named | {"proportions_given": given},
        limits=_LIMITS,
    )


def _study(loaded: LoadedRollouts, mixing: Mixing, given: dict[str, float]) -> Study:
    settings, classes = loaded.settings, mixing.classes
    everyone = mixed_reward(mixing, [Fraction(1)] * len(classes.names))
    layout = layout_of(mixing.table, everyone.usable)
    if layout.n_prompts == 0:
        raise TableError(
            "no prompt has two completions with a usable reward of its classes. A prompt of several classes keeps the "
            "behaviours that each of them has scored: name --behaviour, or --class-reward, which scores every "
            "completion. Else check --group and --missing."
        )
    prompts = tuple(int(count) for count in classes.member[layout.prompts].sum(axis=0))
    empty = [name for name, count in zip(classes.names, prompts, strict=True) if count == 0]
    if empty:
        raise TableError(
            f"the class {empty[0]!r} has no prompt with two completions that all its classes score. Leave its rows out "
            "of the table, or check its reward."
        )
    proportions = tuple(proportions_of(given, classes.names, prompts))
    truth = None if loaded.table.truth is None else loaded.table.truth.scores
    measure = Measure(aspects_of(loaded), settings.behaviour, truth, settings.epsilon)
    return Study(mixing, measure, layout, proportions, prompts, settings.seed)


def _figures(study: Study, report: Progress) -> dict[str, Any]:
    names = study.mixing.classes.names
    report("classes", 0.3)
    alone = [class_figures(study.mixing, study.measure, number) for number in range(len(names))]
    alone = with_intervals(alone, n_prompts=study.mixing.table.n_groups, seed=study.seed)
    whole = mixture_figures(study)
    found: dict[str, Any] = {
        "names": list(study.measure.names),
        "truth": study.measure.truth is not None,
        "prompts": study.layout.n_prompts,
        "completions": len(study.layout.rows),
        "shared_prompts": int((study.patterns[0][study.patterns[1]].sum(axis=1) > 1).sum()),
        "mixture": whole,
        "classes": [
            item | {"proportion": float(p), "contribution": contributions(study, number)}
            for number, (item, p) in enumerate(zip(alone, study.proportions, strict=True))
        ],
        "left_out": [],
    }
    for number in range(len(names)):
        report(f"without {names[number]}", 0.4 + 0.4 * number / len(names))
        found["left_out"].append(left_out(study, number))
    report("walls", 0.85)
    if found["shared_prompts"]:
        return found | wall_figures(study) | {"averages": None}
    name = COUNTED if COUNTED in study.measure.names else TIED
    averages = {"figure": name, "curves": [average_curve(study, number, name) for number in range(len(names))]}
    return found | {"walls": [], "nearest": [], "averages": averages}


def _no_progress(_stage: str, _share: float) -> None:
    pass


_LIMITS = (
    "Prompts are taken as draws of their class, each as likely; intervals are over prompts, at fixed proportions. A "
    "set of classes with a single prompt adds nothing to their width.",
    "What one class does to another through the shared parameters of a model is training, not the reward, and no table "
    "of rollouts shows it: leaving a class out changes averages here and what is learned there.",
    "Margins and gains are in units of each class's own reward; an average of different units says little.",
)
