"""`policycliff tie-breakers`: which candidate breaks the ties, which way, and at what weight it does nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.degeneracy import consequences
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.intervals import share, with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.aspects import aspects_of
from policycliff.rollouts.questions.tie_breakers.candidates import (
    Candidate,
    Recipe,
    candidates_of,
    default_recipes,
    parse_candidate,
    settings_with,
)
from policycliff.rollouts.questions.tie_breakers.evaluate import Question, judged
from policycliff.rollouts.questions.tie_breakers.shown import tables_of
from policycliff.rollouts.questions.tie_breakers.words import findings_of, recommended
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import Scored, effective_reward_of, scorer_of
from policycliff.rollouts.settings import LARGEST_NUMBER, AuditSettings
from policycliff.shapes import Bool

_MOST_CANDIDATES = 32


def tie_breakers(
    table: Any,
    *,
    candidates: Sequence[str] = (),
    weight: float | Mapping[str, float] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Ask which candidates break the ties of the effective reward, and how large their weights may be.

    Args:
        table: As for `policycliff.audit`.
        candidates: `length` (characters), `words`, `format:REGEX` (1 where the pattern is found in the completion),
            `column:COL`, `lcpo:ALPHA:TARGET[:LENGTH_COLUMN]` or `NAME=SQL`; by default the tie-breakers of the options,
            else `length` and `words`.
        weight: The weight to judge at, one for all or by candidate; by default LCPO's own, else the one that makes the
            candidate's within-prompt scale a tenth of the reward's.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`, as for `policycliff.audit`.

    Raises:
        TableError: The table is broken, empty or lacks a column.
        InvalidInputError: An option or a candidate cannot be right.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"prompt": ["p"] * 3, "completion": ["4", "four", "5?"], "passes": [1.0, 1.0, 0.0]})
    >>> found = tie_breakers(frame, candidates=["length"], rewards=["passes"]).to_dict()["figures"]["candidates"]
    >>> [(item["prefer"], item["resolved_share"]["value"], item["largest_weight"]) for item in found]
    [('larger', 1.0, None), ('smaller', 1.0, None)]
    """
    return run_tie_breakers(table, settings_from_options(options), candidates, weight=weight, progress=progress)


def run_tie_breakers(
    table: Any,
    settings: AuditSettings,
    candidates: Sequence[str] = (),
    *,
    weight: float | Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Answer:
    """As `tie_breakers`, with settings made already."""
    recipes = [parse_candidate(text) for text in ([candidates] if isinstance(candidates, str) else candidates)]
    recipes = recipes or default_recipes(settings)
    if len(recipes) > _MOST_CANDIDATES:
        raise InvalidInputError(
            f"{len(recipes)} candidates are given; at most {_MOST_CANDIDATES} are compared at once."
        )
    weights = _weights(weight, recipes)
    loaded = load_rollouts(table, settings_with(recipes, settings))
    return _answer_of(loaded, candidates_of(loaded, recipes), weights, progress or _no_progress)


def _answer_of(
    loaded: LoadedRollouts, candidates: list[Candidate], weight: dict[str, float], report: Progress
) -> Answer:
    table, weights, settings = loaded.table, dict(loaded.rewards), loaded.settings
    if all(value == 0.0 for value in weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no effective reward. Give one a weight.")
    effective, scorer = effective_reward_of(table, weights, settings), scorer_of(table)
    main = scorer(effective)
    if main.layout.n_prompts == 0:
        raise TableError("no prompt has two completions with a usable effective reward. Check --group and --missing.")
    matters, counted = _ties_that_count(loaded, main)
    by_group = np.zeros(table.n_groups, dtype=bool)
    by_group[main.layout.prompts] = matters
    truth = None if table.truth is None else table.truth.scores
    question = Question(table, weights, effective, scorer, by_group, truth, settings, weight)
    rows = []
    asked = [(item, sign) for item in candidates for sign in ((1.0,) if item.alpha is not None else (1.0, -1.0))]
    for position, (candidate, sign) in enumerate(asked):
        report(candidate.name, 0.1 + 0.8 * position / len(asked))
        rows.append(judged(question, candidate, sign))
    report("intervals", 0.9)
    rows = with_intervals(rows, n_prompts=table.n_groups, seed=settings.seed)
    chosen = recommended(rows)
    figures = {
        "prompts": main.layout.n_prompts,
        "tied_prompts": int(main.is_tied.sum()),
        "ties": int(matters.sum()),
        "ties_are": counted,
        "ties_share": with_intervals(share(matters), n_prompts=table.n_groups, seed=settings.seed),
        "truth": None if table.truth is None else table.truth.name,
        "candidates": rows,
        "recommended": None if chosen is None else {key: chosen[key] for key in ("candidate", "prefer")},
    }
    return answer(
        "tie-breakers",
        f"What breaks the ties of {' + '.join(name for name, value in effective.components)}",
        tables=tables_of(figures),
        findings=findings_of(figures),
        figures=figures,
        settings=settings_of(loaded) | {"candidates": [item.name for item in candidates], "weight": weight},
        limits=[*_LIMITS, *([_LCPO] if any(item.alpha is not None for item in candidates) else [])],
    )


def _ties_that_count(loaded: LoadedRollouts, main: Scored) -> tuple[Bool[np.ndarray, " prompts"], str]:
    """The consequential ties, as the audit counts them; all ties where nothing says what a consequence is."""
    aspects, behaviour = list(aspects_of(loaded)), loaded.settings.behaviour
    if not aspects and behaviour is None:
        return main.is_tied, "all"
    return consequences(main, aspects, by_behaviour=behaviour)[1], "consequential"


def _weights(weight: float | Mapping[str, float] | None, recipes: list[Recipe]) -> dict[str, float]:
    given = {} if weight is None else dict(weight) if isinstance(weight, Mapping) else {"*": float(weight)}
    names = [recipe.name for recipe in recipes]
    for name, value in given.items():
        if name != "*" and name not in names:
            raise InvalidInputError(f"weight names {name!r}, which is no candidate. They are: {', '.join(names)}.")
        if not 1.0 / LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise InvalidInputError(
                f"weight of {name!r} must be a positive number, got {value!r}; both directions are judged at it."
            )
    return given


def _no_progress(_stage: str, _share: float) -> None:
    pass


_LIMITS = (
    "A largest weight holds for the completions in this table. Another sample of the same prompts can hold a closer "
    "rival; keep a margin, half of it for instance.",
    "The best of several candidates, picked on this table, looks better than it is: the intervals are those of each "
    "candidate alone. Name few, or check the one chosen on other prompts.",
    "Truth is that of the completions there are. Training moves the policy along the tie-breaker, to completions that "
    "nobody has sampled: shorter and shorter, for instance.",
)

_LCPO = (
    "lcpo adds -ALPHA |TARGET - n| to the reward: LCPO's own objective, 1[correct] - ALPHA |TARGET - n|, only where "
    "the reward is 1 for a correct completion and 0 for any other."
)
