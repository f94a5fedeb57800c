"""Which options each kind of command on a table has, each declared once.

To add one: its annotation in `options.py`, then its line in `TABLE_OPTIONS`, whose order is that of the help. A setting
of the audit needs no more on this side; any other option is read where the command runs, as in `commands/audit.py`.
"""

import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from policycliff.cli import options as opt

Kind = Literal["audit", "question", "convert"]
Command = Callable[..., None]

_EVERY: tuple[Kind, ...] = ("audit", "question", "convert")
_ASKING: tuple[Kind, ...] = ("audit", "question")
_AUDIT: tuple[Kind, ...] = ("audit",)


class TableOption(NamedTuple):
    """An option of commands on a table.

    Attributes:
        name: The parameter's name.
        annotation: Its type and its help, for Typer.
        kinds: The kinds of commands that have it.
        default: Its value where it is not given.
        is_setting: It may stand in a settings file, too.
    """

    name: str
    annotation: Any
    kinds: tuple[Kind, ...]
    default: Any = None
    is_setting: bool = True


TABLE_OPTIONS = (
    TableOption("format", opt.Format, _EVERY),
    TableOption("prompt", opt.Prompt, _EVERY),
    TableOption("group", opt.Group, _EVERY),
    TableOption("group_size", opt.GroupSize, _EVERY),
    TableOption("step", opt.Step, _EVERY),
    TableOption("completion", opt.Completion, _EVERY),
    TableOption("source", opt.Source, _EVERY),
    TableOption("behaviour", opt.Behaviour, _EVERY),
    TableOption("reward", opt.Reward, _EVERY),
    TableOption("derive", opt.Derive, _EVERY),
    TableOption("truth", opt.Truth, _EVERY),
    TableOption("tie_breaker", opt.TieBreaker, _AUDIT),
    TableOption("max_reward", opt.MaxReward, _ASKING),
    TableOption("main_reward", opt.MainReward, _AUDIT),
    TableOption("noise", opt.Noise, _ASKING),
    TableOption("rerun", opt.Rerun, _ASKING),
    TableOption("missing", opt.MissingScores, _ASKING),
    TableOption("aggregation", opt.HowToAggregate, _AUDIT),
    TableOption("epsilon", opt.Epsilon, _AUDIT),
    TableOption("beta", opt.Beta, _AUDIT),
    TableOption("reward_error", opt.RewardError, _AUDIT),
    TableOption("max_shift", opt.MaxShift, _AUDIT),
    TableOption("sample", opt.Sample, _ASKING),
    TableOption("look_at", opt.LookAt, _AUDIT),
    TableOption("embed", opt.Embed, _AUDIT),
    TableOption("seed", opt.Seed, _ASKING),
    TableOption("fail_on", opt.FailOn, _AUDIT),
    TableOption("settings", opt.SettingsFile, _ASKING, is_setting=False),
    TableOption("executor", opt.ExecutorOption, _AUDIT, is_setting=False),
    TableOption("temporary_folder", opt.TemporaryFolder, _AUDIT, is_setting=False),
    TableOption("dry_run", opt.DryRun, _AUDIT, default=False, is_setting=False),
    TableOption("json", opt.JsonOut, _ASKING, is_setting=False),
    TableOption("html", opt.HtmlOut, _ASKING, is_setting=False),
    TableOption("markdown", opt.MarkdownOut, _AUDIT, is_setting=False),
    TableOption("redact", opt.Redact, _AUDIT, default=False, is_setting=False),
    TableOption("drop_list", opt.DropList, _AUDIT, is_setting=False),
    TableOption("quiet", opt.Quiet, _EVERY, default=False, is_setting=False),
)


def settings_among(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are settings of the audit, by name; None where not given or not of this command."""
    return {option.name: options.get(option.name) for option in TABLE_OPTIONS if option.is_setting}


def with_table_options(kind: Kind, gathered: Callable[[dict[str, Any]], Any] = dict) -> Callable[[Command], Command]:
    """A command whose first parameter is filled from the options of its kind, which Typer reads off its signature.

    Args:
        kind: The kind of command.
        gathered: Makes the first argument of the options by name.
    """
    shared = [option for option in TABLE_OPTIONS if kind in option.kinds]
    parameters = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.annotation
        )
        for option in shared
    ]

    def decorated(command: Command) -> Command:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        def run(**values: Any) -> None:
            options = {option.name: values.pop(option.name) for option in shared}
            command(gathered(options), **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        keyword_only = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
        run.__signature__ = inspect.Signature([*keyword_only, *parameters])  # type: ignore[attr-defined]
        return run

    return decorated
