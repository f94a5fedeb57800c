"""How every command ends: exit codes, an interrupt, a reader that leaves early, the files and what is printed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from policycliff.cli.outputs import Outputs, json_text
from policycliff.errors import PolicyCliffError
from policycliff.report.text import one_line

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
_WRITTEN = {"--json": "Figures", "--html": "Report", "--drop-list": "Prompts to drop"}

Result = dict[str, Any]


@contextmanager
def exit_codes() -> Iterator[list[Path]]:
    """Turn errors that are the user's to mend into one line and exit code 2, and an interrupt into 130.

    Yields a list for the files that have been written, so that an interrupt can say so.
    """
    written: list[Path] = []
    try:
        yield written
    except PolicyCliffError as error:
        typer.echo(f"policycliff: error: {one_line(str(error))}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        done = f"written: {', '.join(map(str, written))}" if written else "nothing was written"
        typer.echo(f"policycliff: interrupted; {done}.", err=True)
        raise typer.Exit(INTERRUPTED) from None


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


def rendered(result: Result, outputs: Outputs, page: Callable[[Result], str]) -> dict[Path, str]:
    """The JSON and the page, before anything is written; `page` is called only where one is asked for."""
    chosen, contents = outputs.files(), {}
    if "--json" in chosen:
        contents[chosen["--json"]] = json_text(result)
    if "--html" in chosen:
        contents[chosen["--html"]] = page(result)
    return contents


def print_result(result: Result, outputs: Outputs, show: Callable[[Result, Console], None], *, quiet: bool) -> None:
    """The JSON, or what `show` prints and the files that were written, or nothing."""
    with unbroken_output():
        if outputs.json_to_stdout():
            typer.echo(json_text(result), nl=False)
        elif not quiet:
            show(result, PatientConsole())
            for option, path in outputs.files().items():
                typer.echo(f"{_WRITTEN[option]}: {path}")
