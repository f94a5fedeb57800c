"""`policycliff estimators`: what other advantage estimators would make of the same rows."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_PANEL = "Estimators"


@asks_of_a_table
def estimators(  # noqa: PLR0917 - a signature that Typer reads
    asked: Asked,
    table: opt.Table,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="COL",
            help="What names the batch, for estimators with batch statistics (default: the step, else all rows).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            help="Completions a batch, in order of appearance within a step.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    logged: Annotated[
        str | None,
        typer.Option(
            "--logged",
            metavar="COL",
            help="The scalar reward that was optimised (default: reward, score or total_reward, if no component).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    advantages: Annotated[
        str | None,
        typer.Option(
            "--advantages",
            metavar="COL",
            help="The advantages that were used (default: advantage or advantages).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    near: Annotated[
        float | None,
        typer.Option(
            "--near",
            metavar="SHARE",
            help="Without known noise: a group is nearly tied up to this share of the reward's scale (default 0.01).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    main_reward: opt.MainReward = None,
    epsilon: opt.Epsilon = None,
) -> None:
    """Compare advantage estimators on the same rows: GRPO, Dr. GRPO, RLOO, GDPO, REINFORCE++ and others.

    TABLE is a table of rollouts, as for `policycliff audit`. Rewards are summed with their weights, or normalised one
    by one under GDPO.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.rollouts.questions.estimators.question import NEAR, ask_estimators  # noqa: PLC0415 - heavy
        from policycliff.rollouts.reading.option_text import unquoted  # noqa: PLC0415 - heavy

        def name(text: str | None) -> str | None:
            return None if text is None else unquoted(text)

        return ask_estimators(
            tables[0],
            replace(
                settings,
                main_reward=settings.main_reward if main_reward is None else unquoted(main_reward),
                epsilon=settings.epsilon if epsilon is None else epsilon,
            ),
            batch=name(batch),
            batch_size=batch_size,
            logged=name(logged),
            advantages=name(advantages),
            near=NEAR if near is None else near,
            progress=progress,
        )

    give_answer(asked, [table], ask)
