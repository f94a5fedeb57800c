"""Samples are not the policy: what a table's completions leave unseen, and what they say of another policy."""

from dataclasses import dataclass, replace
from typing import Any

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.pairs import mixed_sources_share
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.intervals import with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.sampling.log_probabilities import log_probabilities, seen_figures
from policycliff.rollouts.questions.sampling.subsets import subset_figures
from policycliff.rollouts.questions.sampling.tables import tables_of
from policycliff.rollouts.questions.sampling.unseen import unseen_figures
from policycliff.rollouts.questions.sampling.weights import weight_figures
from policycliff.rollouts.questions.sampling.words import findings_of, limits_of
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import Reward, Scored, column_reward, effective_reward_of, scorer_of
from policycliff.rollouts.settings import AuditSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LogColumns:
    """Columns of log-probabilities of the whole completion: of the policy that drew it, and of the one of interest."""

    drawn: str | None = None
    target: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are given."""
        return tuple(dict.fromkeys(name for name in (self.drawn, self.target) if name is not None))


def sampling(
    table: Any,
    *,
    logprob: str | None = None,
    target_logprob: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Ask what the completions of a table leave unseen, and what they say of another policy.

    Args:
        table: As in `policycliff.audit`.
        logprob: Column with the natural log-probability of the whole completion under the policy that drew it.
        target_logprob: The same under the policy of interest; needs `logprob`.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`.

    Raises:
        TableError: The table is broken, lacks a column, or has a positive log-probability.
        InvalidInputError: A target without the log-probabilities of the policy that drew the completions.

    >>> import polars as pl
    >>> table = pl.DataFrame({"prompt": ["p"] * 4, "completion": list("abcd"), "reward": [0.0, 1.0, 2.0, 4.0]})
    >>> points = sampling(table).to_dict()["figures"]["subsets"]["points"]
    >>> [(point["k"], round(point["best"]["value"], 3)) for point in points]
    [(2, 2.833), (4, 4.0)]
    """
    columns = LogColumns(drawn=logprob, target=target_logprob)
    return ask_sampling(load_with(table, settings_from_options(options), columns), columns, progress=progress)


def load_with(table: Any, settings: AuditSettings, columns: LogColumns) -> LoadedRollouts:
    """The table with these columns read as numbers, in the place of the tie-breakers, which this question has not."""
    if columns.target is not None and columns.drawn is None:
        raise InvalidInputError(
            f"{columns.target!r} is of the policy of interest; the ratio needs the log-probability under the policy "
            "that drew the completions too. Give it with --logprob."
        )
    if not columns.names:
        return load_rollouts(table, settings)
    try:
        return load_rollouts(table, replace(settings, tie_breakers=columns.names))
    except TableError as error:
        raise TableError(_of_log_probabilities(str(error), columns)) from error


def _of_log_probabilities(message: str, columns: LogColumns) -> str:
    """The reader's message in the words of this question."""
    for name in columns.names:
        message = message.replace(f"{name!r} (tie-breaker)", f"{name!r} (log-probability)")
        message = message.replace(f"numeric column {name!r}", f"log-probability column {name!r}")
    return message


def ask_sampling(loaded: LoadedRollouts, columns: LogColumns, *, progress: Progress | None = None) -> Answer:
    """The answer for a table that has been read already by `load_with`."""
    report = progress or (lambda _stage, _share: None)
    table, settings = loaded.table, loaded.settings
    report("scores", 0.1)
    scored = _scored(loaded)
    report("subsets", 0.3)
    tree: dict[str, Any] = {
        "prompts": scored.layout.n_prompts,
        "completions": len(scored.layout.rows),
        "mixed_sources_share": mixed_sources_share(table),
        "unseen": unseen_figures(scored),
        "subsets": subset_figures(scored),
        "seen": None,
        "target_seen": None,
        "weights": None,
    }
    report("log-probabilities", 0.7)
    if columns.drawn is not None:
        drawn = log_probabilities(table, columns.drawn)
        tree["seen"] = seen_figures(table, drawn)
        if columns.target is not None:
            target = log_probabilities(table, columns.target)
            tree["target_seen"] = seen_figures(table, target)
            tree["weights"] = weight_figures(table, target - drawn, _rewards(loaded))
    report("intervals", 0.9)
    figures = with_intervals(tree, n_prompts=table.n_groups, seed=settings.seed)
    known_max = dict(settings.max_reward)
    return answer(
        "sampling",
        f"What {figures['completions']:,} sampled completions of {figures['prompts']:,} prompts say of the policy",
        tables=tables_of(figures),
        findings=findings_of(figures, columns.drawn, known_max=_known_max(loaded, known_max)),
        figures=figures,
        settings=settings_of(loaded) | {"logprob": columns.drawn, "target_logprob": columns.target},
        limits=limits_of(figures),
    )


def _scored(loaded: LoadedRollouts) -> Scored:
    """The reward that is trained on: the weighted sum."""
    weights = dict(loaded.rewards)
    if not any(weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no reward to look at. Give one a weight.")
    scored = scorer_of(loaded.table)(effective_reward_of(loaded.table, weights, loaded.settings))
    if scored.layout.n_prompts == 0:
        raise TableError("no prompt has two completions with a usable reward. Check --group and --missing.")
    return scored


def _rewards(loaded: LoadedRollouts) -> list[Reward]:
    """What is estimated under the policy of interest: each column as it stands, their weighted sum, and the truth."""
    table, weights = loaded.table, dict(loaded.rewards)
    columns = [column_reward(item.name, item.scores) for item in table.rewards]
    if len(columns) > 1:
        columns.append(effective_reward_of(table, weights, loaded.settings))
    return columns if table.truth is None else [*columns, column_reward(table.truth.name, table.truth.scores)]


def _known_max(loaded: LoadedRollouts, known: dict[str, float]) -> float | None:
    """The greatest possible reward, where it is given: of the weighted sum, or of its only column."""
    if "effective" in known:
        return known["effective"]
    used = [(name, weight) for name, weight in loaded.rewards if weight]
    name, weight = used[0]
    return weight * known[name] if len(used) == 1 and weight > 0 and name in known else None
