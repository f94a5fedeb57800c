"""The command `policycliff sampling`."""

from typing import TYPE_CHECKING, Annotated

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.asked import Asked, asks_of_a_table, give_answer

if TYPE_CHECKING:
    from pathlib import Path

    from policycliff.rollouts.progress import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

_OWN = "Log-probabilities"

LogProb = Annotated[
    str | None,
    typer.Option(
        "--logprob",
        metavar="COL",
        help="Log-probability (natural, summed over tokens) under the policy that drew the completion.",
        rich_help_panel=_OWN,
    ),
]
TargetLogProb = Annotated[
    str | None,
    typer.Option(
        "--target-logprob", metavar="COL", help="The same under the policy of interest.", rich_help_panel=_OWN
    ),
]


@asks_of_a_table
def sampling(asked: Asked, table: opt.Table, logprob: LogProb = None, target_logprob: TargetLogProb = None) -> None:
    """Ask what the sampled completions leave unseen: the best of k, ties, further draws, another policy.

    TABLE has one row a completion, drawn from one policy, with its prompt and its rewards.
    """

    def ask(tables: "list[list[Path]]", settings: "AuditSettings", progress: "Progress") -> "Answer":
        from policycliff.rollouts.questions.sampling.question import (  # noqa: PLC0415 - heavy
            LogColumns,
            ask_sampling,
            load_with,
        )
        from policycliff.rollouts.reading.option_text import unquoted  # noqa: PLC0415 - heavy

        drawn, target = (None if name is None else unquoted(name) for name in (logprob, target_logprob))
        columns = LogColumns(drawn=drawn, target=target)
        return ask_sampling(load_with(tables[0], settings, columns), columns, progress=progress)

    give_answer(asked, [table], ask)
