"""Reward-model error: how far an ensemble's members disagree, and what that does to the policy they would train."""

from dataclasses import replace
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, require_rewards, settings_of
from policycliff.rollouts.questions.reward_model_error.ensemble import check_standardise
from policycliff.rollouts.questions.reward_model_error.figures import ensemble_figures
from policycliff.rollouts.questions.reward_model_error.tables import tables_of
from policycliff.rollouts.questions.reward_model_error.words import findings_of, limits_of
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.settings import AuditSettings


def reward_model_error(
    table: Any,
    *,
    members: tuple[str, ...] | list[str] = (),
    standardise: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Ask how far several scores of the same completions disagree, and how often that changes the best completion.

    Args:
        table: As in `policycliff.audit`.
        members: Columns of the ensemble; the rewards, where not given. Weights do not matter, but a reward of negative
            weight is a penalty.
        standardise: None to average scores as they are; "table" to divide each member by its standard deviation within
            prompts, pooled over the table; "prompt" to centre and divide it within each prompt.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`; `max_shift` is the total variation that the policy may move.

    Raises:
        TableError: The table is broken, or no prompt has two completions that all members score.
        InvalidInputError: Fewer than two members, or one that is constant within prompts.

    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "prompt": ["p", "p", "q", "q"], "completion": ["a", "b", "c", "d"],
    ...     "m1": [1.0, 0.0, 1.0, 0.0], "m2": [1.0, 0.5, 0.0, 1.0], "m3": [2.0, 0.0, 1.0, 0.5],
    ... })
    >>> result = reward_model_error(table, members=["m1", "m2", "m3"])
    >>> result.to_dict()["figures"]["unanimous_share"]["count"]
    1
    """
    settings = with_members(settings_from_options(options), members)
    return ask_reward_model_error(load_rollouts(table, settings), standardise=standardise, progress=progress)


def with_members(settings: AuditSettings, members: tuple[str, ...] | list[str]) -> AuditSettings:
    """The settings with these members as rewards.

    Raises:
        InvalidInputError: Rewards are given too.
    """
    if not members:
        return settings
    if settings.rewards:
        raise InvalidInputError("give the ensemble either as members or as rewards, not both.")
    return replace(settings, rewards=tuple((name, 1.0) for name in members))


def ask_reward_model_error(
    loaded: LoadedRollouts, *, standardise: str | None = None, progress: Progress | None = None
) -> Answer:
    """The answer for a table that has been read already."""
    check_standardise(standardise)
    if not loaded.settings.rewards:
        raise InvalidInputError(
            "which columns score the same thing is not guessed. Name them: --member COL --member COL ..."
        )
    require_rewards(loaded, 2, why="an ensemble")
    if loaded.settings.missing == "zero":
        raise InvalidInputError("a missing score of a member is not 0: leave out missing, or give omit or error.")
    figures = ensemble_figures(loaded, standardise, progress or (lambda _stage, _share: None))
    names = [name for name, _ in loaded.rewards]
    return answer(
        "reward-model-error",
        f"Disagreement of {len(names)} reward models on {figures['prompts']} prompts",
        tables=tables_of(figures, standardise),
        findings=findings_of(figures, loaded, standardise),
        figures=figures,
        settings=settings_of(loaded) | {"members": names, "standardise": standardise},
        limits=limits_of(figures, standardise),
    )
