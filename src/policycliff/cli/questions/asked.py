"""What the commands that ask a question of a table have in common: the table's options, and how the answer goes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policycliff.cli.table_options import settings_among, with_table_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The table's options of a command, as given.

    Attributes:
        given: Options that are settings of the audit, by name; None where not given.
        settings: The settings file.
        json: Where the figures go.
        html: Where the page goes.
        quiet: Print nothing.
    """

    given: dict[str, Any]
    settings: Path | None
    json: Path | None
    html: Path | None
    quiet: bool


def _asked(options: dict[str, Any]) -> Asked:
    own = {name: options[name] for name in ("settings", "json", "html", "quiet")}
    return Asked(given=settings_among(options), **own)


asks_of_a_table = with_table_options("question", _asked)
"""A command whose first parameter, `asked`, is filled from the options that every question has."""


def give_answer(
    asked: Asked, tables: list[list[str]], ask: "Callable[[list[list[Path]], AuditSettings, Progress], Answer]"
) -> None:
    """Find the files of each table, ask, and write and print the answer.

    Args:
        asked: The table's options.
        tables: For each table, what was given on the command line: files, folders or patterns.
        ask: Gets the files of each table, the settings and a function for progress.
    """
    from policycliff.cli.answers import run_answer_command  # noqa: PLC0415 - heavy

    run_answer_command(asked, tables, ask)
