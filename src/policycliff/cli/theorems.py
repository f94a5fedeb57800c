"""The work of `policycliff theorems`. Imports what is heavy."""

from pathlib import Path
from typing import Any

import typer

from policycliff.cli.outputs import Outputs, json_text, write_all
from policycliff.cli.progress import shown_progress
from policycliff.cli.run import FAILED, PatientConsole, exit_codes, unbroken_output
from policycliff.mdp.files import load_mdp
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.run import theorems


def list_statements() -> None:
    """Print the numbers and titles."""
    for statement in STATEMENTS:
        typer.echo(f"{statement.number:<11} {statement.title}")


def run_theorems_command(
    mdp: Path | None,
    *,
    instances: int,
    seed: int,
    only: list[str] | None,
    outputs: Outputs,
    details: bool,
    quiet: bool,
) -> None:
    """Run the statements, write the files, print the table; code 1 if one is contradicted."""
    with exit_codes() as written:
        outputs.require_writable([] if mdp is None else [mdp])
        with shown_progress(enabled=not quiet) as progress:
            world = None if mdp is None else load_mdp(mdp)
            drawn = bool(outputs.files())
            result = theorems(
                world, instances=instances, seed=seed, only=only, with_figures=drawn, progress=progress
            ).to_dict()
            contents = _contents(result, outputs)
        write_all(contents)
        written.extend(contents)
        with unbroken_output():
            _print(result, outputs, details=details, quiet=quiet)
        if result["n_failed"]:
            raise typer.Exit(FAILED)


def _contents(result: dict[str, Any], outputs: Outputs) -> dict[Path, str]:
    chosen, contents = outputs.files(), {}
    if "--json" in chosen:
        contents[chosen["--json"]] = json_text(result)
    if "--html" in chosen:
        from policycliff.report.theorems.page import render_theorems  # noqa: PLC0415 - Plotly is heavy

        contents[chosen["--html"]] = render_theorems(result)
    return contents


def _print(result: dict[str, Any], outputs: Outputs, *, details: bool, quiet: bool) -> None:
    if outputs.json_to_stdout():
        typer.echo(json_text(result), nl=False)
        return
    if quiet:
        return
    from policycliff.report.theorems.terminal import print_theorems  # noqa: PLC0415 - only where something is printed

    print_theorems(result, PatientConsole(), details=details)
    for option, path in outputs.files().items():
        typer.echo(f"{'Figures' if option == '--json' else 'Page'}: {path}")
