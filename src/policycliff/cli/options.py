"""The options of the command line, each with its help: annotations for Typer, nothing more."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_COLUMNS = "Columns"
_REWARDS = "Rewards"
_FIGURES = "Figures"
_OUTPUT = "Output"


class MissingChoice(StrEnum):
    """What to do with scores that are not usable."""

    OMIT = "omit"
    ZERO = "zero"
    ERROR = "error"


class AggregationChoice(StrEnum):
    """How reward components become one advantage."""

    SUM_THEN_NORMALIZE = "sum_then_normalize"
    NORMALIZE_THEN_SUM = "normalize_then_sum"


def _column(flag: str, text: str, *more: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(flag, *more, metavar="COL", help=text, rich_help_panel=_COLUMNS)
    return option


Table = Annotated[list[str], typer.Argument(metavar="TABLE...", help="Files, a folder, or a quoted pattern.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="The files' format, where it is not to be found out: trl, verl, verifiers, inspect ...; plain for none.",
        rich_help_panel=_COLUMNS,
    ),
]
Prompt = Annotated[str | None, _column("--prompt", "The prompt's text.")]
Group = Annotated[str | None, _column("--group", "What names the group of completions that compete.")]
GroupSize = Annotated[
    int | None,
    typer.Option(
        "--group-size", metavar="N", help="Groups are consecutive blocks of N rows.", rich_help_panel=_COLUMNS
    ),
]
Step = Annotated[str | None, _column("--step", "The training step; groups never span steps.")]
Completion = Annotated[str | None, _column("--completion", "The completion's text.")]
Source = Annotated[str | None, _column("--source", "Which model wrote the completion.")]
Behaviour = Annotated[
    str | None,
    _column(
        "--behaviour",
        "What counts as one behaviour, such as an extracted answer; by default the text.",
        "-b",
        "--behavior",
    ),
]
Reward = Annotated[
    list[str] | None,
    typer.Option(
        "--reward",
        "-r",
        metavar="NAME[=WEIGHT]",
        help="A reward column and its weight (1). Repeat for more. Quote a name with '=': '\"a=b\"=0.5'.",
        rich_help_panel=_REWARDS,
    ),
]
Derive = Annotated[
    list[str] | None,
    typer.Option(
        "--derive",
        metavar="NAME=SQL",
        help="A new column by an SQL expression over the others.",
        rich_help_panel=_REWARDS,
    ),
]
Truth = Annotated[
    str | None,
    typer.Option("--truth", metavar="COL", help="A score that is not trained on.", rich_help_panel=_REWARDS),
]
TieBreaker = Annotated[
    list[str] | None,
    typer.Option(
        "--tie-breaker",
        metavar="COL",
        help="A column to try as tie-breaker beside the rewards (by default all numeric ones). Repeat for more.",
        rich_help_panel=_REWARDS,
    ),
]
MaxReward = Annotated[
    list[str] | None,
    typer.Option(
        "--max-reward",
        metavar="NAME=VALUE",
        help="The greatest possible value of a reward: tells solved prompts from hopeless ones.",
        rich_help_panel=_REWARDS,
    ),
]
MainReward = Annotated[
    str | None,
    typer.Option(
        "--main-reward",
        metavar="NAME",
        help="The reward that a shaping term must not replace.",
        rich_help_panel=_REWARDS,
    ),
]
Noise = Annotated[
    list[str] | None,
    typer.Option(
        "--noise",
        metavar="SIGMA|NAME=SIGMA|auto|none",
        help="Standard deviation of one score; auto estimates it from identical completions or reruns.",
        rich_help_panel=_REWARDS,
    ),
]
Rerun = Annotated[
    list[str] | None,
    typer.Option(
        "--rerun", metavar="REWARD=COL", help="A second, independent score of the same rows.", rich_help_panel=_REWARDS
    ),
]
MissingScores = Annotated[
    MissingChoice | None,
    typer.Option(
        "--missing", help="Scores that are missing, NaN or infinite: leave out, count as 0, or refuse (default omit).",
        rich_help_panel=_REWARDS,
    ),
]  # fmt: skip
HowToAggregate = Annotated[
    AggregationChoice | None,
    typer.Option("--aggregation", help="How several rewards become one advantage.", rich_help_panel=_FIGURES),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        "--epsilon", help="Added to the group's standard deviation (default 0.0001)", rich_help_panel=_FIGURES
    ),
]
Beta = Annotated[
    float | None,
    typer.Option("--beta", help="KL coefficient at which policies are compared.", rich_help_panel=_FIGURES),
]
RewardError = Annotated[
    float | None,
    typer.Option("--reward-error", help="The reward error that the advice guards against.", rich_help_panel=_FIGURES),
]
MaxShift = Annotated[
    float | None,
    typer.Option(
        "--max-shift",
        help="Total variation that the advice lets the policy move (default 0.1)",
        rich_help_panel=_FIGURES,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", help="Audit N whole groups, drawn at random.", rich_help_panel=_FIGURES),
]
LookAt = Annotated[
    int | None,
    typer.Option("--look-at", metavar="N", help="Boundary prompts to list (default 10)", rich_help_panel=_FIGURES),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed of every random draw (default 0)", rich_help_panel=_FIGURES)
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="'KEY>NUMBER'",
        help="End with code 1 if it holds, such as 'tied_share>0.3'. KEY is a dotted path into the JSON result; a bare "
        "key is one of the effective reward. Also >=, <, <=. Repeat for more.",
        rich_help_panel=_OUTPUT,
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", metavar="FILE", help="Options from a TOML or JSON file; those given here come first.",
        rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say how the table is understood, and stop.", rich_help_panel=_OUTPUT),
]
JsonOut = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="OUT", help="Write every figure as JSON (- for the output).", rich_help_panel=_OUTPUT
    ),
]
HtmlOut = Annotated[
    Path | None, typer.Option("--html", metavar="OUT", help="Write the report as one page.", rich_help_panel=_OUTPUT)
]
DemoHtml = Annotated[Path, typer.Option("--html", metavar="OUT", help="Where to write the report.")]
DropList = Annotated[
    Path | None,
    typer.Option(
        "--drop-list",
        metavar="OUT",
        help="Write the prompts that train nothing or the wrong thing: one a line, or .csv or .json with reasons.",
        rich_help_panel=_OUTPUT,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors and failed conditions.", rich_help_panel=_OUTPUT)
]

Mdp = Annotated[
    str | None,
    typer.Option(
        "--mdp",
        metavar="SOURCE",
        help="Your own MDP, an environment's id or a file as for `mdp analyze`, in place of the built-in instances.",
    ),
]
Instances = Annotated[
    int, typer.Option("--instances", metavar="N", min=0, help="Random instances besides, of eight kinds in turn.")
]
StatementSeed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NUMBER", help="Only this statement, such as 'Prop 2.4'. Repeat for more."),
]
Details = Annotated[bool, typer.Option("--details", help="Print every claim and hypothesis of the examples, too.")]
ListStatements = Annotated[bool, typer.Option("--list", help="List the statements, and stop.")]

MdpSource = Annotated[str, typer.Argument(metavar="SOURCE", help="An environment's id, or a file.")]
TableOut = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="The Parquet file to write.", rich_help_panel=_OUTPUT)
]
ConvertOut = Annotated[Path, typer.Argument(metavar="OUT", help="Where to write it.")]
Gamma = Annotated[
    float | None, typer.Option("--gamma", min=0.0, max=1.0, help="Discount (default: the source's, else 0.99).")
]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", metavar="NAME=W,...", help="Weights of several rewards (default: equal)."),
]
SetOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the environment. Repeat for more."),
]
MdpRewardError = Annotated[
    float | None,
    typer.Option("--reward-error", min=0.0, help="The reward error that the advice guards against (default 1 %)."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Rational arithmetic (up to 200 states; 20,000 where acyclic).")]
MaxStates = Annotated[
    int | None, typer.Option("--max-states", metavar="N", min=1, help="Where enumerating an environment stops.")
]
