"""`policycliff tie-breakers`: what breaks the ties, which way, and at what weight it does nothing else."""

from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from pathlib import Path

    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_OWN = "Tie-breakers"

_Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidate",
        "-c",
        metavar="CANDIDATE",
        rich_help_panel=_OWN,
        help="length, words, format:REGEX, column:COL, lcpo:ALPHA:TARGET[:COL] or NAME=SQL. Repeat for more "
        "(default: length and words).",
    ),
]
_Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        metavar="W|CANDIDATE=W",
        rich_help_panel=_OWN,
        help="The weight to judge at (default: LCPO's alpha, else a tenth of the reward's within-prompt scale).",
    ),
]


@asks_of_a_table
def tie_breakers(asked: Asked, table: opt.Table, candidate: _Candidates = None, weight: _Weights = None) -> None:
    """Compare tie-breakers: what each resolves, gains and costs, and the largest weight that only breaks ties.

    TABLE is a table of rollouts, as for `policycliff audit`.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.rollouts.questions.tie_breakers.tie_breakers import run_tie_breakers  # noqa: PLC0415 - heavy

        weights = _parsed(weight) if weight else None
        return run_tie_breakers(tables[0], settings, candidate or (), weight=weights, progress=progress)

    give_answer(asked, [table], ask)


def _parsed(texts: list[str]) -> dict[str, float]:
    """`W` for all candidates, or `CANDIDATE=W`."""
    from policycliff.rollouts.questions.tie_breakers.once import once_each  # noqa: PLC0415 - heavy
    from policycliff.rollouts.reading.option_text import parse_number_of  # noqa: PLC0415 - heavy

    pairs = [parse_number_of(text if "=" in text else f"*={text}", "weight", "weight") for text in texts]
    return once_each(pairs, "weight")
