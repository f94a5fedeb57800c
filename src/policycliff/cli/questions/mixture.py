"""`policycliff mixture`: what each class of data contributes, and what their proportions decide."""

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

_OWN = "Mixture"


class ClassOf(StrEnum):
    """What else names the data class."""

    SOURCE = "source"


_Class = Annotated[
    str | None, typer.Option("--class", metavar="COL", help="What names the data class.", rich_help_panel=_OWN)
]
_ClassOf = Annotated[
    ClassOf | None, typer.Option("--class-of", help="Take the source column for it.", rich_help_panel=_OWN)
]
_ClassReward = Annotated[
    list[str] | None,
    typer.Option(
        "--class-reward",
        metavar="CLASS=SQL",
        help="Reward of a class, an SQL expression over the columns (default: --reward). Repeat for more.",
        rich_help_panel=_OWN,
    ),
]
_Proportion = Annotated[
    list[str] | None,
    typer.Option(
        "--proportion",
        metavar="CLASS=P",
        help="Proportion of a class (default: its share of the prompts). Repeat for more.",
        rich_help_panel=_OWN,
    ),
]


@asks_of_a_table
def mixture(
    asked: Asked,
    table: opt.Table,
    *,
    class_: _Class = None,
    class_of: _ClassOf = None,
    class_reward: _ClassReward = None,
    proportion: _Proportion = None,
) -> None:
    """Say what each class of data contributes to a mixture, and what the proportions of the classes decide.

    TABLE is a table of rollouts, as for `policycliff audit`, with a column that names the data class.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.rollouts.questions.mixture.mixture import run_mixture  # noqa: PLC0415 - heavy
        from policycliff.rollouts.questions.tie_breakers.once import once_each  # noqa: PLC0415 - heavy
        from policycliff.rollouts.reading.option_text import (  # noqa: PLC0415 - heavy
            parse_derive,
            parse_number_of,
            unquoted,
        )

        return run_mixture(
            tables[0],
            settings,
            class_column=None if class_ is None else unquoted(class_),
            class_of=None if class_of is None else str(class_of),
            class_rewards=once_each([parse_derive(text) for text in class_reward or ()], "class-reward"),
            proportions=once_each(
                [parse_number_of(text, "proportion", "value") for text in proportion or ()], "proportion"
            ),
            progress=progress,
        )

    give_answer(asked, [table], ask)
