"""The command `policycliff reward-model-error`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from pathlib import Path

    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings


class StandardiseChoice(StrEnum):
    """How members of different scales are averaged."""

    PROMPT = "prompt"
    TABLE = "table"


Member = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="COL", help="A column of the ensemble, in place of --reward. Repeat for more."),
]
Standardise = Annotated[
    StandardiseChoice | None,
    typer.Option(
        "--standardise",
        help="Divide each member by its standard deviation within prompts: pooled over the table, or prompt by prompt.",
    ),
]


@asks_of_a_table
def reward_model_error(
    asked: Asked,
    table: opt.Table,
    member: Member = None,
    standardise: Standardise = None,
    max_shift: opt.MaxShift = None,
) -> None:
    """Ask how far several reward models disagree, and how often one more would pick another best completion.

    TABLE has one row a completion and a column for each reward model (or seed, or judge) that scored it.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from dataclasses import replace  # noqa: PLC0415 - with what is heavy

        from policycliff.rollouts.questions.reward_model_error.question import (  # noqa: PLC0415 - heavy
            ask_reward_model_error,
            with_members,
        )
        from policycliff.rollouts.reading.load import load_rollouts  # noqa: PLC0415 - heavy
        from policycliff.rollouts.reading.option_text import unquoted  # noqa: PLC0415 - heavy

        settings = with_members(settings, [unquoted(name) for name in member or ()])
        settings = settings if max_shift is None else replace(settings, max_shift=max_shift)
        chosen = None if standardise is None else str(standardise)
        return ask_reward_model_error(load_rollouts(tables[0], settings), standardise=chosen, progress=progress)

    give_answer(asked, [table], ask)
