"""The work of `policycliff convert`. Imports what is heavy."""

from pathlib import Path
from typing import Any

from rich.console import Console

from policycliff.cli.audit import settings_of
from policycliff.cli.outputs import Outputs
from policycliff.cli.process import PatientConsole, exit_codes, unbroken_output
from policycliff.report.format import quantity
from policycliff.report.text import one_line
from policycliff.rollouts.reading.convert import write_canonical
from policycliff.rollouts.reading.files import find_tables


def run_convert_table_command(tables: list[str], out: Path, given: dict[str, Any], *, quiet: bool) -> None:
    """Write a table as canonical Parquet, and say what was understood."""
    with exit_codes() as written:
        settings, _ = settings_of(given, None)
        paths = list(find_tables(tables))
        Outputs(out=out).require_writable(paths)
        found = write_canonical(paths, out, settings)
        written.append(out)
        if not quiet:
            with unbroken_output():
                _show(found, out, PatientConsole())


def _show(found: dict[str, Any], out: Path, console: Console) -> None:
    parts = [f"{role} = {name}" for role, name in found["fixed"].items() if isinstance(name, str)]
    rewards = [f"{name} (weight {weight:g})" for name, weight in found["fixed"]["rewards"]]
    size = f"{quantity('row', found['rows'])}, {quantity('column', len(found['columns']))}"
    lines = [
        f"{out}: {size}, read as {found['format']}",
        f"columns: {', '.join([*parts, *(f'reward = {reward}' for reward in rewards)])}",
        *(f"left out: {count} {unit}: {reason}" for reason, count, unit in found["skipped"]),
        *(f"note: {note}" for note in found["notes"]),
    ]
    for line in lines:
        console.print(one_line(line), markup=False, highlight=False)
