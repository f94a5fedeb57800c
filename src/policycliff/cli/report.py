"""The work of `policycliff report`: a saved result, shown again without computing anything. Imports what is heavy."""

from pathlib import Path
from typing import Any

import typer

from policycliff.cli.outputs import STDOUT, Outputs, write_all
from policycliff.cli.process import PatientConsole, exit_codes, print_result, rendered
from policycliff.cli.saved import Saved, fitting, read_saved
from policycliff.cli.views import VIEWS, Views
from policycliff.errors import InvalidInputError
from policycliff.report.redact import redacted


def run_report_command(path: Path, outputs: Outputs, *, redact: bool, quiet: bool) -> None:
    """Read the result, write the files that are asked for, else print it."""
    with exit_codes() as written:
        outputs.require_writable([] if path == STDOUT else [path])
        saved = read_saved(path)
        with fitting(path, saved.kind):
            result = _without_texts(saved) if redact else saved.result
            views = _printed_before(VIEWS[saved.kind], result, outputs)
            contents = rendered(result, outputs, views)
        write_all(contents)
        written.extend(contents)
        print_result(result, outputs, views, quiet=quiet)


def _without_texts(saved: Saved) -> dict[str, Any]:
    if saved.kind != "audit":
        raise InvalidInputError("--redact is for audits: which texts of other results come from the data is not known.")
    return redacted(saved.result)


def _printed_before(views: Views, result: dict[str, Any], outputs: Outputs) -> Views:
    """The views with what goes to the standard output rendered already, so that it comes whole or not at all."""
    if outputs.stdout() == "--markdown":
        comment = views.markdown(result)
        return views._replace(markdown=lambda _result: comment)
    if outputs.files() or outputs.stdout():
        return views._replace(show=lambda _result, _console: None)
    console = PatientConsole()
    with console.capture() as capture:
        views.show(result, console)
    return views._replace(show=lambda _result, _console: typer.echo(capture.get(), nl=False))
