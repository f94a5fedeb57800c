"""The command `policycliff explore`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from policycliff.cli import options as opt


class HeldChoice(StrEnum):
    """Where the table is held."""

    MEMORY = "memory"
    DISK = "disk"


def explore(  # noqa: PLR0917 - a signature that Typer reads
    saved: Annotated[Path, typer.Argument(metavar="AUDIT", help="What `policycliff audit --json` wrote.")],
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="TABLE", help="Where the audited table is now. Repeat for more files."),
    ] = None,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 for a free one.")] = 0,
    open_browser: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open a browser (default: where there is a display).")
    ] = None,
    executor: Annotated[
        HeldChoice | None,
        typer.Option("--executor", help="Hold the table in memory or in parts on disk (default: by its size)."),
    ] = None,
    temporary_folder: opt.TemporaryFolder = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Look through all prompts of an audited table in a browser, on this machine alone.

    The address is printed once the pages are ready. Ctrl-C ends it.
    """
    from policycliff.cli.explore import run_explore_command  # noqa: PLC0415 - heavy
    from policycliff.rollouts.parts.opened import Work  # noqa: PLC0415 - heavy

    work = Work(executor=executor and executor.value, folder=temporary_folder)
    run_explore_command(saved, table or [], work, port=port, open_browser=open_browser, quiet=quiet)
