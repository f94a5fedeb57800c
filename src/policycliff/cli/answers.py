"""The work of the commands that ask a question of a table. Imports what is heavy."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from policycliff.cli.audit import settings_of
from policycliff.cli.outputs import Outputs, write_all
from policycliff.cli.process import exit_codes, print_result, rendered
from policycliff.cli.progress import shown_progress
from policycliff.cli.views import VIEWS
from policycliff.errors import InvalidInputError
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer
from policycliff.rollouts.reading.files import find_tables
from policycliff.rollouts.settings import AuditSettings

if TYPE_CHECKING:
    from policycliff.cli.questions.asked import Asked


def run_answer_command(
    asked: "Asked", tables: list[list[str]], ask: Callable[[list[list[Path]], AuditSettings, Progress], Answer]
) -> None:
    """Ask a question of tables as the options say; see `policycliff.cli.questions.asked.give_answer`."""
    with exit_codes() as written:
        outputs = Outputs(json=asked.json, html=asked.html)
        settings, conditions = settings_of(asked.given, asked.settings)
        if conditions:
            raise InvalidInputError("fail_on is of `policycliff audit`; this command knows no conditions.")
        paths = [list(find_tables(table)) for table in tables]
        inputs = [path for found in paths for path in found]
        outputs.require_writable([*inputs, *([] if asked.settings is None else [asked.settings])])
        with shown_progress(enabled=not asked.quiet) as progress:
            progress("reading", 0.0)
            result = ask(paths, settings, progress).to_dict()
            contents = rendered(result, outputs, VIEWS["answer"])
        write_all(contents)
        written.extend(contents)
        print_result(result, outputs, VIEWS["answer"], quiet=asked.quiet)
