"""The command `policycliff report`."""

from pathlib import Path
from typing import Annotated

import typer

from policycliff.cli import options as opt


def report(  # noqa: PLR0917 - a signature that Typer reads
    saved: Annotated[Path, typer.Argument(metavar="RESULT", help="A file that --json wrote; - for the input.")],
    html: opt.HtmlOut = None,
    markdown: opt.MarkdownOut = None,
    json: opt.JsonOut = None,
    redact: opt.Redact = False,  # noqa: FBT002 - a flag
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Show a saved result again, as a report, a page or a comment; nothing is computed, and no table is needed.

    RESULT is what --json wrote: of an audit, of a question such as `compare`, of `mdp analyze` or of `theorems`.
    Without an output option the report is printed.
    """
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy
    from policycliff.cli.report import run_report_command  # noqa: PLC0415 - heavy

    run_report_command(saved, Outputs(json=json, html=html, markdown=markdown), redact=redact, quiet=quiet)
