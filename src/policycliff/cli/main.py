"""The `policycliff` command. Thin: it turns options into `AuditSettings`, and files into and out of the audit.

Exit codes: 0, done; 1, a `--fail-on` condition holds; 2, bad input or usage; 130, interrupted.

Nothing heavy is imported before a command runs, so that `--help` and `--version` answer at once.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from policycliff.cli import options as opt
from policycliff.cli.questions.behaviours import behaviours
from policycliff.cli.questions.compare import compare
from policycliff.cli.questions.estimators import estimators
from policycliff.cli.questions.mixture import mixture
from policycliff.cli.questions.prefix_tree import prefix_tree
from policycliff.cli.questions.reward_model_error import reward_model_error
from policycliff.cli.questions.sampling import sampling
from policycliff.cli.questions.tie_breakers import tie_breakers

app = typer.Typer(
    name="policycliff",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="How a reward decides its policy: where it is tied, how near the cliff is, and what to do about it.",
)


def _show_version(value: bool | None) -> None:  # noqa: FBT001 - the signature that Typer calls
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - a quarter of the time of `--help`

        typer.echo(f"policycliff {version('policycliff')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool | None,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = None,
) -> None:
    pass


@app.command()
def audit(  # noqa: PLR0917 - a signature that Typer reads
    table: opt.Table,
    format: opt.Format = None,  # noqa: A002 - the option's name
    prompt: opt.Prompt = None,
    group: opt.Group = None,
    group_size: opt.GroupSize = None,
    step: opt.Step = None,
    completion: opt.Completion = None,
    source: opt.Source = None,
    behaviour: opt.Behaviour = None,
    reward: opt.Reward = None,
    derive: opt.Derive = None,
    truth: opt.Truth = None,
    tie_breaker: opt.TieBreaker = None,
    max_reward: opt.MaxReward = None,
    main_reward: opt.MainReward = None,
    noise: opt.Noise = None,
    rerun: opt.Rerun = None,
    missing: opt.MissingScores = None,
    aggregation: opt.HowToAggregate = None,
    epsilon: opt.Epsilon = None,
    beta: opt.Beta = None,
    reward_error: opt.RewardError = None,
    max_shift: opt.MaxShift = None,
    sample: opt.Sample = None,
    look_at: opt.LookAt = None,
    seed: opt.Seed = None,
    fail_on: opt.FailOn = None,
    settings: opt.SettingsFile = None,
    dry_run: opt.DryRun = False,  # noqa: FBT002 - a flag
    json: opt.JsonOut = None,
    html: opt.HtmlOut = None,
    drop_list: opt.DropList = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Audit a table of rollouts: one row a completion, with its prompt and its rewards.

    TABLE is a Parquet, JSON Lines (also .gz) or CSV file, a folder of them, or a quoted pattern.
    Columns with obvious names are found without options, and the guess is printed.
    """
    given = dict(locals())
    from policycliff.cli.audit import run_audit_command  # noqa: PLC0415 - heavy
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy

    outputs = Outputs(json=given.pop("json"), html=given.pop("html"), drop_list=given.pop("drop_list"))
    table_paths, settings_path = given.pop("table"), given.pop("settings")
    flags = {name: given.pop(name) for name in ("dry_run", "quiet")}
    run_audit_command(table_paths, given, settings_path=settings_path, outputs=outputs, **flags)


@app.command("convert")
def convert_table(  # noqa: PLR0917 - a signature that Typer reads
    table: opt.Table,
    out: opt.TableOut,
    format: opt.Format = None,  # noqa: A002 - the option's name
    prompt: opt.Prompt = None,
    group: opt.Group = None,
    group_size: opt.GroupSize = None,
    step: opt.Step = None,
    completion: opt.Completion = None,
    source: opt.Source = None,
    behaviour: opt.Behaviour = None,
    reward: opt.Reward = None,
    derive: opt.Derive = None,
    truth: opt.Truth = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Write rollouts of any format as one Parquet file that says itself which column is what.

    TABLE is what `policycliff audit` takes. Auditing OUT then needs no option.
    """
    given = dict(locals())
    from policycliff.cli.convert import run_convert_table_command  # noqa: PLC0415 - heavy

    tables, path, hush = given.pop("table"), given.pop("out"), given.pop("quiet")
    run_convert_table_command(tables, path, given, quiet=hush)


@app.command()
def demo(
    html: opt.DemoHtml = Path("policycliff-report.html"),
    json: opt.JsonOut = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Audit the data that ships with policycliff: programs graded by weak tests, with hidden tests as the truth."""
    from policycliff.cli.audit import run_demo_command  # noqa: PLC0415 - heavy
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy

    run_demo_command(Outputs(json=json, html=html), quiet=quiet)


@app.command()
def theorems(  # noqa: PLR0917 - a signature that Typer reads
    mdp: opt.Mdp = None,
    gamma: opt.Gamma = None,
    set_: opt.SetOptions = None,
    instances: opt.Instances = 0,
    seed: opt.StatementSeed = 0,
    only: opt.Only = None,
    list_: opt.ListStatements = False,  # noqa: FBT002 - a flag
    details: opt.Details = False,  # noqa: FBT002 - a flag
    json: opt.JsonOut = None,
    html: opt.HtmlOut = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Run every statement of the paper, and the results beyond it: claimed beside measured, with a verdict.

    Ends with code 1 if an outcome contradicts a statement.
    """
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy
    from policycliff.cli.theorems import list_statements, run_theorems_command  # noqa: PLC0415 - heavy

    if list_:
        list_statements()
        return
    outputs = Outputs(json=json, html=html)
    run_theorems_command(
        mdp,
        gamma=gamma,
        options=set_,
        instances=instances,
        seed=seed,
        only=only,
        outputs=outputs,
        details=details,
        quiet=quiet,
    )


app.command()(reward_model_error)
app.command()(sampling)
app.command()(mixture)
app.command()(tie_breakers)
app.command()(estimators)

mdp_app = typer.Typer(name="mdp", no_args_is_help=True, help="Analyse or convert a finite MDP that you already have.")
app.add_typer(mdp_app)


@mdp_app.command()
def analyze(  # noqa: PLR0917 - a signature that Typer reads
    source: opt.MdpSource,
    gamma: opt.Gamma = None,
    weights: opt.Weights = None,
    set_: opt.SetOptions = None,
    reward_error: opt.MdpRewardError = None,
    exact: opt.Exact = False,  # noqa: FBT002 - a flag
    max_states: opt.MaxStates = None,
    json: opt.JsonOut = None,
    html: opt.HtmlOut = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Say where the optimum of an MDP is tied, how near the cliff is, which action overtakes, and what to do.

    SOURCE is an environment's id (FrozenLake-v1, mo-gymnasium:deep-sea-treasure-v0) or a .json, .npz, .drn, .tra or
    .parquet:NAME file.
    """
    from policycliff.cli.mdp import run_analyze_command  # noqa: PLC0415 - heavy
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy

    run_analyze_command(
        source,
        gamma=gamma,
        options=set_,
        weights=weights,
        reward_error=reward_error,
        exact=exact,
        max_states=max_states,
        outputs=Outputs(json=json, html=html),
        quiet=quiet,
    )


@mdp_app.command()
def convert(  # noqa: PLR0917 - a signature that Typer reads
    source: opt.MdpSource,
    out: opt.ConvertOut,
    gamma: opt.Gamma = None,
    set_: opt.SetOptions = None,
    max_states: opt.MaxStates = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Write an MDP in another format: OUT ends in .json, .npz, .drn or .tra."""
    from policycliff.cli.mdp import run_convert_command  # noqa: PLC0415 - heavy

    run_convert_command(source, out, gamma=gamma, options=set_, max_states=max_states, quiet=quiet)


app.command()(compare)
app.command()(behaviours)
app.command()(prefix_tree)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; ends the process with the exit code."""
    return app(arguments)
