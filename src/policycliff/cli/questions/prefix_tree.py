"""`policycliff prefix-tree`: where in the text the best completions part."""

from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from pathlib import Path

    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_OWN = "Prefixes"

_Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="COL",
        help="A list of tokens a completion: ids, strings, or JSON text of a list.",
        rich_help_panel=_OWN,
    ),
]
_Steps = Annotated[
    str | None,
    typer.Option("--steps", metavar="COL", help="A list of reasoning steps a completion.", rich_help_panel=_OWN),
]
_Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="HOW",
        help="Cut the completion's text: words (default), lines, characters, or a regular expression that separates.",
        rich_help_panel=_OWN,
    ),
]
_StepRewards = Annotated[
    str | None,
    typer.Option(
        "--step-rewards",
        metavar="COL",
        help="A list of rewards, one a token or step (and one for the end); their sum is the reward.",
        rich_help_panel=_OWN,
    ),
]
_Merge = Annotated[
    str | None,
    typer.Option(
        "--merge",
        metavar="COL",
        help="A list of keys, the state after each token or step: prefixes with equal keys become one.",
        rich_help_panel=_OWN,
    ),
]


@asks_of_a_table
def prefix_tree(  # noqa: PLR0917 - a signature that Typer reads
    asked: Asked,
    table: opt.Table,
    tokens: _Tokens = None,
    steps: _Steps = None,
    split: _Split = None,
    step_rewards: _StepRewards = None,
    merge: _Merge = None,
) -> None:
    """Say where in the text the best completions part, from each other and from the rest.

    TABLE is a table of rollouts, as for `policycliff audit`.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.rollouts.questions.prefix_tree.question import ask_prefix_tree  # noqa: PLC0415 - heavy
        from policycliff.rollouts.questions.prefix_tree.traces import Pieces  # noqa: PLC0415 - heavy
        from policycliff.rollouts.reading.option_text import unquoted  # noqa: PLC0415 - heavy

        def name(text: str | None) -> str | None:
            return None if text is None else unquoted(text)

        pieces = Pieces(tokens=name(tokens), steps=name(steps), split=split)
        return ask_prefix_tree(
            tables[0], settings, pieces, step_rewards=name(step_rewards), merge=name(merge), progress=progress
        )

    give_answer(asked, [table], ask)
