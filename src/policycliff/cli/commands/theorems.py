"""The command `policycliff theorems`."""

from policycliff.cli import mdp_options as mdp_opt
from policycliff.cli import options as opt


def theorems(  # noqa: PLR0917 - a signature that Typer reads
    mdp: mdp_opt.Mdp = None,
    gamma: mdp_opt.Gamma = None,
    set_: mdp_opt.SetOptions = None,
    instances: mdp_opt.Instances = 0,
    seed: mdp_opt.StatementSeed = 0,
    only: mdp_opt.Only = None,
    list_: mdp_opt.ListStatements = False,  # noqa: FBT002 - a flag
    details: mdp_opt.Details = False,  # noqa: FBT002 - a flag
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
