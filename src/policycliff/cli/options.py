"""The options of the commands on a table, each with its help: annotations for Typer, nothing more.

Which command has which is said in `table_options.py`.
"""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


class MissingChoice(StrEnum):
    """What to do with scores that are not usable."""

    OMIT = "omit"
    ZERO = "zero"
    ERROR = "error"


class AggregationChoice(StrEnum):
    """How reward components become one advantage."""

    SUM_THEN_NORMALIZE = "sum_then_normalize"
    NORMALIZE_THEN_SUM = "normalize_then_sum"


class ExecutorChoice(StrEnum):
    """Where an audit is done."""

    MEMORY = "memory"
    DISK = "disk"
    RAY = "ray"


_column = partial(typer.Option, rich_help_panel="Columns")
_reward = partial(typer.Option, rich_help_panel="Rewards")
_figure = partial(typer.Option, rich_help_panel="Figures")
_output = partial(typer.Option, rich_help_panel="Output")

Table = Annotated[list[str], typer.Argument(metavar="TABLE...", help="Files, a folder, or a quoted pattern.")]
Format = Annotated[
    str | None,
    _column(
        "--format",
        metavar="NAME",
        help="The files' format, where it is not to be found out: trl, verl, verifiers, inspect ...; plain for none.",
    ),
]
Prompt = Annotated[str | None, _column("--prompt", metavar="COL", help="The prompt's text.")]
Group = Annotated[
    str | None, _column("--group", metavar="COL", help="What names the group of completions that compete.")
]
GroupSize = Annotated[int | None, _column("--group-size", metavar="N", help="Groups are consecutive blocks of N rows.")]
Step = Annotated[str | None, _column("--step", metavar="COL", help="The training step; groups never span steps.")]
Completion = Annotated[str | None, _column("--completion", metavar="COL", help="The completion's text.")]
Source = Annotated[str | None, _column("--source", metavar="COL", help="Which model wrote the completion.")]
Behaviour = Annotated[
    str | None,
    _column(
        "--behaviour",
        "-b",
        "--behavior",
        metavar="COL",
        help="What counts as one behaviour, such as an extracted answer; by default the text.",
    ),
]
Reward = Annotated[
    list[str] | None,
    _reward(
        "--reward",
        "-r",
        metavar="NAME[=WEIGHT]",
        help="A reward column and its weight (1). Repeat for more. Quote a name with '=': '\"a=b\"=0.5'.",
    ),
]
Derive = Annotated[
    list[str] | None, _reward("--derive", metavar="NAME=SQL", help="A new column by an SQL expression over the others.")
]
Truth = Annotated[str | None, _reward("--truth", metavar="COL", help="A score that is not trained on.")]
TieBreaker = Annotated[
    list[str] | None,
    _reward(
        "--tie-breaker",
        metavar="COL",
        help="A column to try as tie-breaker beside the rewards (by default all numeric ones). Repeat for more.",
    ),
]
MaxReward = Annotated[
    list[str] | None,
    _reward(
        "--max-reward",
        metavar="NAME=VALUE",
        help="The greatest possible value of a reward: tells solved prompts from hopeless ones.",
    ),
]
MainReward = Annotated[
    str | None, _reward("--main-reward", metavar="NAME", help="The reward that a shaping term must not replace.")
]
Noise = Annotated[
    list[str] | None,
    _reward(
        "--noise",
        metavar="SIGMA|NAME=SIGMA|auto|none",
        help="Standard deviation of one score; auto estimates it from identical completions or reruns.",
    ),
]
Rerun = Annotated[
    list[str] | None, _reward("--rerun", metavar="REWARD=COL", help="A second, independent score of the same rows.")
]
MissingScores = Annotated[
    MissingChoice | None,
    _reward(
        "--missing", help="Scores that are missing, NaN or infinite: leave out, count as 0, or refuse (default omit)."
    ),
]
HowToAggregate = Annotated[
    AggregationChoice | None, _figure("--aggregation", help="How several rewards become one advantage.")
]
Epsilon = Annotated[float | None, _figure("--epsilon", help="Added to the group's standard deviation (default 0.0001)")]
Beta = Annotated[float | None, _figure("--beta", help="KL coefficient at which policies are compared.")]
RewardError = Annotated[
    float | None, _figure("--reward-error", help="The reward error that the advice guards against.")
]
MaxShift = Annotated[
    float | None, _figure("--max-shift", help="Total variation that the advice lets the policy move (default 0.1)")
]
Sample = Annotated[int | None, _figure("--sample", metavar="N", help="Audit N whole groups, drawn at random.")]
LookAt = Annotated[int | None, _figure("--look-at", metavar="N", help="Boundary prompts to list (default 10)")]
Embed = Annotated[
    int | None,
    _figure("--embed", metavar="N", help="Prompts that a page can recompute, those to look at included (default 200)"),
]
Seed = Annotated[int | None, _figure("--seed", help="Seed of every random draw (default 0)")]
ExecutorOption = Annotated[
    ExecutorChoice | None,
    _output(
        "--executor",
        help="Where the work is done: in memory, in parts on disk or on a Ray cluster (default: by the table's size).",
    ),
]
TemporaryFolder = Annotated[
    Path | None,
    _output(
        "--temporary-folder",
        metavar="DIR",
        help="Where the parts of a table larger than memory are put meanwhile; they need about its size.",
    ),
]
FailOn = Annotated[
    list[str] | None,
    _output(
        "--fail-on",
        metavar="'KEY>NUMBER'",
        help="End with code 1 if it holds, such as 'tied_share>0.3'. KEY is a dotted path into the JSON result; a bare "
        "key is one of the effective reward. Also >=, <, <=. Repeat for more.",
    ),
]
SettingsFile = Annotated[
    Path | None,
    _output("--settings", metavar="FILE", help="Options from a TOML or JSON file; those given here come first."),
]
DryRun = Annotated[bool, _output("--dry-run", help="Say how the table is understood, and stop.")]
JsonOut = Annotated[
    Path | None, _output("--json", metavar="OUT", help="Write every figure as JSON (- for the output).")
]
HtmlOut = Annotated[Path | None, _output("--html", metavar="OUT", help="Write the report as one page.")]
MarkdownOut = Annotated[
    Path | None,
    _output("--markdown", metavar="OUT", help="Write a comment for a pull request on GitHub (- for the output)."),
]
Redact = Annotated[
    bool,
    _output("--redact", help="Leave every text of the data out of all outputs; figures, rows and column names stay."),
]
DemoHtml = Annotated[Path, typer.Option("--html", metavar="OUT", help="Where to write the report.")]
DropList = Annotated[
    Path | None,
    _output(
        "--drop-list",
        metavar="OUT",
        help="Write the prompts that train nothing or the wrong thing: one a line, or .csv or .json with reasons.",
    ),
]
Quiet = Annotated[bool, _output("--quiet", "-q", help="Print nothing but errors and failed conditions.")]
TableOut = Annotated[Path, _output("--out", "-o", metavar="FILE", help="The Parquet file to write.")]
