"""`policycliff compare`: two rewards on the same rows, or two tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer
from policycliff.report.text import one_line

if TYPE_CHECKING:
    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_OWN = "Comparison"


def _require_tables(*given: str) -> None:
    """Names that are no path by any sign are rewards whose table was forgotten."""
    for name in given:
        if not Path(name).exists() and not set(name) & set("./\\*?["):
            typer.echo(
                f"policycliff: error: {one_line(name)} is no table. To compare two rewards, name their table with "
                "--in TABLE.",
                err=True,
            )
            raise typer.Exit(2)


@asks_of_a_table
def compare(  # noqa: PLR0917 - a signature that Typer reads
    asked: Asked,
    a: Annotated[str, typer.Argument(metavar="A", help="A table; with --in a reward: a column, or 0.8*rm + 0.2*fmt.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What A is compared with, of the same kind.")],
    table: Annotated[
        str | None,
        typer.Option(
            "--in", metavar="TABLE", help="The table whose rows A and B score as rewards.", rich_help_panel=_OWN
        ),
    ] = None,
    beta: opt.Beta = None,
    common_size: Annotated[
        int | None,
        typer.Option(
            "--common-size",
            metavar="K",
            min=2,
            help="Completions a prompt at which two tables are compared (default: the smaller usual group size).",
            rich_help_panel=_OWN,
        ),
    ] = None,
    permutations: Annotated[
        int, typer.Option(metavar="N", min=1, help="Draws of the permutation tests.", rich_help_panel=_OWN)
    ] = 9999,
    look_at: opt.LookAt = None,
) -> None:
    """Compare two rewards on the same rows, or two tables of rollouts: what changes, and is it more than chance?

    With --in TABLE, A and B are rewards. Without, they are tables: two checkpoints on the same prompts, or a table and
    what curation left of it.
    """
    _require_tables(*(() if table is not None else (a, b)))

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from dataclasses import replace  # noqa: PLC0415 - with the others

        from policycliff.rollouts.questions.compare.compare import run_compare  # noqa: PLC0415 - heavy

        own: dict[str, Any] = {"beta": beta, "look_at": look_at}
        chosen = replace(settings, **{name: value for name, value in own.items() if value is not None})
        first, second = (a, b) if table is not None else tables
        return run_compare(
            first,
            second,
            chosen,
            table=tables[0] if table is not None else None,
            common_size=common_size,
            permutations=permutations,
            progress=progress,
        )

    give_answer(asked, [[table]] if table is not None else [[a], [b]], ask)
