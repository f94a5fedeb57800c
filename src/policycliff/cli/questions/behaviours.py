"""The command `policycliff behaviours`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_OWN = "Likeness"

Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FOLDER",
        rich_help_panel=_OWN,
        help="Sentence embedding model on this machine, in safetensors; nothing is downloaded (extra: embed).",
    ),
]
Embedding = Annotated[
    str | None,
    typer.Option("--embedding", metavar="COL", rich_help_panel=_OWN, help="Column with a vector in each row."),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="jaccard", rich_help_panel=_OWN, help="Compare the words themselves: no model needed."
    ),
]
Ngram = Annotated[
    int, typer.Option("--ngram", metavar="N", rich_help_panel=_OWN, help="Words a run, for --method jaccard.")
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="T",
        rich_help_panel=_OWN,
        help="Similarity from which two completions are one behaviour (default: where the verdict is most stable).",
    ),
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="LOW:HIGH:POINTS",
        rich_help_panel=_OWN,
        help="Thresholds to try (default: from where nearly all is one behaviour up to 1).",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        rich_help_panel="Output",
        help="Write the table as Parquet with the behaviours as a column, for `policycliff audit`.",
    ),
]


@asks_of_a_table
def behaviours(  # noqa: PLR0917 - a signature that Typer reads
    asked: Asked,
    table: opt.Table,
    model: Model = None,
    embedding: Embedding = None,
    method: Method = None,
    ngram: Ngram = 2,
    threshold: Threshold = None,
    grid: Grid = None,
    out: Out = None,
) -> None:
    """Count completions that are alike as one behaviour, and ask whether the verdict on ties hangs on how alike.

    TABLE has one row a completion, with its prompt and its rewards. Give --model, --embedding or --method jaccard;
    --behaviour names a column to check the groups against.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy
        from policycliff.rollouts.questions.behaviours.question import ask_behaviours  # noqa: PLC0415 - heavy
        from policycliff.rollouts.questions.behaviours.way import Way  # noqa: PLC0415 - heavy
        from policycliff.rollouts.reading.option_text import unquoted  # noqa: PLC0415 - heavy

        Outputs(json=asked.json, html=asked.html, out=out).require_writable(tables[0])
        way = Way(
            model=model,
            embedding=None if embedding is None else unquoted(embedding),
            method=method,
            ngram=ngram,
            threshold=threshold,
            grid=None if grid is None else _parsed(grid),
        )
        return ask_behaviours(tables[0], settings, way, out=out, progress=progress)

    give_answer(asked, [table], ask)


def _parsed(grid: str) -> tuple[float, float, int]:
    from policycliff.errors import InvalidInputError  # noqa: PLC0415 - only where it is given

    try:
        low, high, points = grid.split(":")
        return float(low), float(high), int(points)
    except ValueError as error:
        raise InvalidInputError(f"--grid must be LOW:HIGH:POINTS, for example 0.5:1:26; got {grid!r}.") from error
