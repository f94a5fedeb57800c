"""The commands `policycliff mdp analyze` and `policycliff mdp convert`."""

from policycliff.cli import mdp_options as mdp_opt
from policycliff.cli import options as opt


def analyze(  # noqa: PLR0917 - a signature that Typer reads
    source: mdp_opt.MdpSource,
    gamma: mdp_opt.Gamma = None,
    weights: mdp_opt.Weights = None,
    set_: mdp_opt.SetOptions = None,
    reward_error: mdp_opt.MdpRewardError = None,
    exact: mdp_opt.Exact = False,  # noqa: FBT002 - a flag
    max_states: mdp_opt.MaxStates = None,
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


def convert(  # noqa: PLR0917 - a signature that Typer reads
    source: mdp_opt.MdpSource,
    out: mdp_opt.ConvertOut,
    gamma: mdp_opt.Gamma = None,
    set_: mdp_opt.SetOptions = None,
    max_states: mdp_opt.MaxStates = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Write an MDP in another format: OUT ends in .json, .npz, .drn or .tra."""
    from policycliff.cli.mdp import run_convert_command  # noqa: PLC0415 - heavy

    run_convert_command(source, out, gamma=gamma, options=set_, max_states=max_states, quiet=quiet)
