"""The command `policycliff convert`."""

from typing import Any

from policycliff.cli import options as opt
from policycliff.cli.table_options import settings_among, with_table_options


@with_table_options("convert")
def convert(options: dict[str, Any], table: opt.Table, out: opt.TableOut) -> None:
    """Write rollouts of any format as one Parquet file that says itself which column is what.

    TABLE is what `policycliff audit` takes. Auditing OUT then needs no option.
    """
    from policycliff.cli.convert import run_convert_table_command  # noqa: PLC0415 - heavy

    run_convert_table_command(table, out, settings_among(options), quiet=options["quiet"])
