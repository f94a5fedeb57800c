"""What the commands that ask a question of a table have in common: the table's options, and how the answer goes out."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policycliff.cli import options as opt

if TYPE_CHECKING:
    from policycliff.rollouts.audit import Progress
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.settings import AuditSettings

TABLE_OPTIONS: dict[str, tuple[Any, Any]] = {
    "format": (opt.Format, None),
    "prompt": (opt.Prompt, None),
    "group": (opt.Group, None),
    "group_size": (opt.GroupSize, None),
    "step": (opt.Step, None),
    "completion": (opt.Completion, None),
    "source": (opt.Source, None),
    "behaviour": (opt.Behaviour, None),
    "reward": (opt.Reward, None),
    "derive": (opt.Derive, None),
    "truth": (opt.Truth, None),
    "max_reward": (opt.MaxReward, None),
    "noise": (opt.Noise, None),
    "rerun": (opt.Rerun, None),
    "missing": (opt.MissingScores, None),
    "sample": (opt.Sample, None),
    "seed": (opt.Seed, None),
    "settings": (opt.SettingsFile, None),
    "json": (opt.JsonOut, None),
    "html": (opt.HtmlOut, None),
    "quiet": (opt.Quiet, False),
}
"""Name to annotation and default of the options that every such command has."""

UNUSED = (
    *("tie_breaker", "main_reward", "aggregation", "epsilon", "beta", "reward_error", "max_shift", "look_at"),
    "fail_on",
)
"""Options of `policycliff audit` that these commands lack; they may still stand in a settings file."""

_NOT_SETTINGS = ("settings", "json", "html", "quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The table's options of a command, as given.

    Attributes:
        given: Options that are settings of the audit, by name; None where not given.
        settings: The settings file.
        json: Where the figures go.
        html: Where the page goes.
        quiet: Print nothing.
    """

    given: dict[str, Any]
    settings: Path | None
    json: Path | None
    html: Path | None
    quiet: bool


def asks_of_a_table(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter, `asked`, is filled from `TABLE_OPTIONS`, which Typer reads off its signature."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in TABLE_OPTIONS.items()
    ]

    def run(**values: Any) -> None:
        options = {name: values.pop(name) for name in TABLE_OPTIONS}
        given = {name: value for name, value in options.items() if name not in _NOT_SETTINGS}
        command(Asked(given=given, **{name: options[name] for name in _NOT_SETTINGS}), **values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    keyword_only = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
    run.__signature__ = inspect.Signature([*keyword_only, *shared])  # type: ignore[attr-defined]
    return run


def give_answer(
    asked: Asked, tables: list[list[str]], ask: "Callable[[list[list[Path]], AuditSettings, Progress], Answer]"
) -> None:
    """Find the files of each table, ask, and write and print the answer.

    Args:
        asked: The table's options.
        tables: For each table, what was given on the command line: files, folders or patterns.
        ask: Gets the files of each table, the settings and a function for progress.
    """
    from policycliff.cli.answers import run_answer_command  # noqa: PLC0415 - heavy

    run_answer_command(asked, tables, ask)
