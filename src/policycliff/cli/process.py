"""How every command ends: exit codes, an interrupt, a reader that leaves early, the files and what is printed."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from policycliff.cli.outputs import Outputs, json_text
from policycliff.cli.views import Result, Views
from policycliff.errors import PolicyCliffError
from policycliff.report.text import one_line

FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143
_WRITTEN = {"--json": "Figures", "--html": "Report", "--markdown": "Comment", "--drop-list": "Prompts to drop"}


@contextmanager
def exit_codes() -> Iterator[list[Path]]:
    """Turn errors that are the user's to mend into one line and code 2, an interrupt into 130, SIGTERM into 143.

    Yields a list for the files that have been written, so that an interrupt can say so.
    """
    written: list[Path] = []
    try:
        with _terminable():
            yield written
    except PolicyCliffError as error:
        typer.echo(f"policycliff: error: {one_line(str(error))}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt as stop:
        how, code = ("terminated", TERMINATED) if isinstance(stop, _Terminated) else ("interrupted", INTERRUPTED)
        done = f"written: {', '.join(map(str, written))}" if written else "nothing was written"
        typer.echo(f"policycliff: {how}; {done}.", err=True)
        raise typer.Exit(code) from None


class _Terminated(KeyboardInterrupt):
    """A request to end, as a scheduler sends it: everything is put away as after Ctrl-C."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class PatientConsole(Console):
    """A console that leaves a closed output to `unbroken_output`; Rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        """Leave it to the caller."""
        raise BrokenPipeError


@contextmanager
def unbroken_output() -> Iterator[None]:
    """Let a reader such as `head` close the standard output early: files and exit code stay as they would be."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def rendered(result: Result, outputs: Outputs, views: Views) -> dict[Path, str]:
    """The JSON, the page and the comment, before anything is written; each only where it is asked for."""
    makers = {"--json": json_text, "--html": views.page, "--markdown": views.markdown}
    return {path: makers[option](result) for option, path in outputs.files().items() if option in makers}


def print_result(result: Result, outputs: Outputs, views: Views, *, quiet: bool) -> None:
    """The JSON or the comment, or what is shown in a terminal and the files that were written, or nothing."""
    taken = outputs.stdout()
    with unbroken_output():
        if taken is not None:
            typer.echo(json_text(result) if taken == "--json" else views.markdown(result), nl=False)
        elif not quiet:
            views.show(result, PatientConsole())
            for option, path in outputs.files().items():
                typer.echo(f"{_WRITTEN[option]}: {path}")
