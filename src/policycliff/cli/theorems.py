"""The work of `policycliff theorems`. Imports what is heavy."""

from functools import partial
from typing import Any

import typer

from policycliff.cli.given_source import input_files, pairs_of
from policycliff.cli.outputs import Outputs, write_all
from policycliff.cli.process import FAILED, exit_codes, print_result, rendered
from policycliff.cli.progress import shown_progress
from policycliff.cli.views import VIEWS
from policycliff.mdp.sources.environments import parse_options
from policycliff.mdp.sources.read import read_source
from policycliff.mdp.sources.source import MDPSource
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.run import theorems


def list_statements() -> None:
    """Print the numbers and titles."""
    for statement in STATEMENTS:
        typer.echo(f"{statement.number:<11} {statement.title}")


def run_theorems_command(
    source: str | None,
    *,
    gamma: float | None,
    options: list[str] | None,
    instances: int,
    seed: int,
    only: list[str] | None,
    outputs: Outputs,
    details: bool,
    quiet: bool,
) -> None:
    """Run the statements, write the files, print the table; code 1 if one is contradicted."""
    views = VIEWS["theorems"]._replace(show=partial(VIEWS["theorems"].show, details=details))
    with exit_codes() as written:
        outputs.require_writable([] if source is None else input_files(source))
        settings = parse_options(pairs_of(options, "--set"))
        with shown_progress(enabled=not quiet) as progress:
            own = None if source is None else read_source(source, gamma=gamma, options=settings, progress=progress)
            result = theorems(
                None if own is None else own.mdp,
                **_components(own),
                instances=instances,
                seed=seed,
                only=only,
                with_figures=bool(outputs.files()),
                progress=progress,
            ).to_dict()
            contents = rendered(result, outputs, views)
        write_all(contents)
        written.extend(contents)
        print_result(result, outputs, views, quiet=quiet)
        if result["n_failed"]:
            raise typer.Exit(FAILED)


def _components(own: MDPSource | None) -> dict[str, Any]:
    """The reward components of a source with several, for the statements on tuples; weights made to sum to 1."""
    if own is None or len(own.reward_names) == 1:
        return {}
    total = float(own.weights.sum())
    return {"rewards": own.rewards, "weights": own.weights / total if total > 0.0 else own.weights}
