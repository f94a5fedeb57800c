"""The `policycliff` command: its commands by name and summary, each built when it is called.

Exit codes: 0, done; 1, a `--fail-on` condition holds; 2, bad input or usage; 130, interrupted; 143, terminated.

Nothing heavy is imported before a command runs, so that `--help` and `--version` answer at once.
"""

import sys
from typing import Annotated, Any

import typer

from policycliff.cli.lazy import Listed, add_commands

# Typer checks every value but a bool with pydantic, whose import takes longer than a help page: groups get bools only.
_GROUP: dict[str, Any] = {"no_args_is_help": True, "context_settings": {"default_map": {"help": False}}}

app = typer.Typer(
    name="policycliff",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="How a reward decides its policy: where it is tied, how near the cliff is, and what to do about it.",
    **_GROUP,
)


def _show_version(value: bool) -> bool:  # noqa: FBT001 - the signature that Typer calls
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - a quarter of the time of `--help`

        typer.echo(f"policycliff {version('policycliff')}")
        raise typer.Exit
    return value


@app.callback()
def _root(
    _version: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    pass


_COMMANDS = {
    "audit": Listed(
        "policycliff.cli.commands.audit:audit",
        "Audit a table of rollouts: one row a completion, with its prompt and its rewards.",
    ),
    "convert": Listed(
        "policycliff.cli.commands.convert:convert",
        "Write rollouts of any format as one Parquet file that says itself which column is what.",
    ),
    "demo": Listed(
        "policycliff.cli.commands.audit:demo",
        "Audit the data that ships with policycliff: programs graded by weak tests, with hidden tests as the truth.",
    ),
    "report": Listed(
        "policycliff.cli.commands.report:report",
        "Show a saved result again, as a report, a page or a comment; nothing is computed, and no table is needed.",
    ),
    "explore": Listed(
        "policycliff.cli.commands.explore:explore",
        "Look through all prompts of an audited table in a browser, on this machine alone.",
    ),
    "theorems": Listed(
        "policycliff.cli.commands.theorems:theorems",
        "Run every statement of the paper, and the results beyond it: claimed beside measured, with a verdict.",
    ),
    "reward-model-error": Listed(
        "policycliff.cli.questions.reward_model_error:reward_model_error",
        "Ask how far several reward models disagree, and how often one more would pick another best completion.",
    ),
    "sampling": Listed(
        "policycliff.cli.questions.sampling:sampling",
        "Ask what the sampled completions leave unseen: the best of k, ties, further draws, another policy.",
    ),
    "mixture": Listed(
        "policycliff.cli.questions.mixture:mixture",
        "Say what each class of data contributes to a mixture, and what the proportions of the classes decide.",
    ),
    "tie-breakers": Listed(
        "policycliff.cli.questions.tie_breakers:tie_breakers",
        "Compare tie-breakers: what each resolves, gains and costs, and the largest weight that only breaks ties.",
    ),
    "estimators": Listed(
        "policycliff.cli.questions.estimators:estimators",
        "Compare advantage estimators on the same rows: GRPO, Dr. GRPO, RLOO, GDPO, REINFORCE++ and others.",
    ),
    "compare": Listed(
        "policycliff.cli.questions.compare:compare",
        "Compare two rewards on the same rows, or two tables of rollouts: what changes, and is it more than chance?",
    ),
    "behaviours": Listed(
        "policycliff.cli.questions.behaviours:behaviours",
        "Count completions that are alike as one behaviour, and ask whether the verdict on ties hangs on how alike.",
    ),
    "prefix-tree": Listed(
        "policycliff.cli.questions.prefix_tree:prefix_tree",
        "Say where in the text the best completions part, from each other and from the rest.",
    ),
}
_MDP_COMMANDS = {
    "analyze": Listed(
        "policycliff.cli.commands.mdp:analyze",
        "Say where the optimum of an MDP is tied, how near the cliff is, which action overtakes, and what to do.",
    ),
    "convert": Listed(
        "policycliff.cli.commands.mdp:convert",
        "Write an MDP in another format: OUT ends in .json, .npz, .drn or .tra.",
    ),
}

add_commands(app, _COMMANDS)
mdp_app = typer.Typer(name="mdp", help="Analyse or convert a finite MDP that you already have.", **_GROUP)
add_commands(mdp_app, _MDP_COMMANDS)
app.add_typer(mdp_app)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; ends the process with the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or "--help" in words:
        from policycliff.cli.light_help import import_help  # noqa: PLC0415 - only where there is help to render

        import_help()
    return app(arguments)
