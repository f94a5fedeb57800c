"""The commands `policycliff audit` and `policycliff demo`."""

from pathlib import Path
from typing import Any

from policycliff.cli import options as opt
from policycliff.cli.table_options import settings_among, with_table_options


@with_table_options("audit")
def audit(options: dict[str, Any], table: opt.Table) -> None:
    """Audit a table of rollouts: one row a completion, with its prompt and its rewards.

    TABLE is a Parquet, JSON Lines (also .gz) or CSV file, a folder of them, or a quoted pattern.
    Columns with obvious names are found without options, and the guess is printed.
    """
    from policycliff.cli.audit import run_audit_command  # noqa: PLC0415 - heavy
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy
    from policycliff.rollouts.parts.opened import Work  # noqa: PLC0415 - heavy

    executor = options["executor"]
    run_audit_command(
        table,
        settings_among(options),
        settings_path=options["settings"],
        outputs=Outputs(**{name: options[name] for name in ("json", "html", "markdown", "drop_list")}),
        work=Work(executor=executor and executor.value, folder=options["temporary_folder"]),
        redact=options["redact"],
        dry_run=options["dry_run"],
        quiet=options["quiet"],
    )


def demo(
    html: opt.DemoHtml = Path("policycliff-report.html"),
    json: opt.JsonOut = None,
    quiet: opt.Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Audit the data that ships with policycliff: programs graded by weak tests, with hidden tests as the truth."""
    from policycliff.cli.audit import run_demo_command  # noqa: PLC0415 - heavy
    from policycliff.cli.outputs import Outputs  # noqa: PLC0415 - heavy

    run_demo_command(Outputs(json=json, html=html), quiet=quiet)
