"""What `--dry-run` prints: how the table is understood."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policycliff.report.text import one_line


def print_recognition(found: dict[str, Any], console: Console) -> None:
    """Print the result of `recognise`: columns and why, groups and their sizes, what is left out, notes."""
    sizes = found["group_sizes"]
    console.print(_plain(f"{found['source']}: {found['rows_read']} rows"))
    if found["recognised_by"]:
        console.print(_plain(f"Read as {found['format']}: {found['recognised_by']}."))
    console.print(_columns(found["columns"]))
    console.print(
        _plain(
            f"{found['prompts']} prompts, {found['completions']} completions{_behaviours(found)}; "
            f"{sizes['min']} to {sizes['max']} completions a prompt (median {sizes['median']:g})."
        )
    )
    for item in found["skipped"]:
        console.print(_plain(f"{item['count']} {item['unit']}: {item['reason']}."))
    for name, count in (found["unusable_scores"] or {}).items():
        if any(count.values()):
            told = ", ".join(f"{number} {kind}" for kind, number in count.items() if number)
            console.print(_plain(f"{name}: {told} scores."))
    if found["duplicate_rows"]:
        console.print(_plain(f"{found['duplicate_rows']} rows repeat another row whole (kept: they are draws)."))
    for note in found["notes"]:
        console.print(_plain(f"Note: {note}"))


def _behaviours(found: dict[str, Any]) -> str:
    return "" if found["behaviours"] is None else f", {found['behaviours']} behaviours"


def _columns(columns: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("role", "column", "why"):
        table.add_column(title)
    for role in ("prompt", "group", "step", "completion", "source", "behaviour", "truth"):
        _add(table, role, columns[role]["column"], columns[role]["origin"])
    for reward in columns["rewards"]:
        _add(table, "reward", f"{reward['column']} (weight {reward['weight']:g})", reward["origin"])
    for rerun in columns["reruns"]:
        _add(table, f"rerun of {rerun['reward']}", rerun["column"], rerun["origin"])
    if columns["group"]["size"] is not None:
        _add(table, "group size", str(columns["group"]["size"]), columns["group"]["size_origin"])
    return table


def _add(table: Table, role: str, column: str | None, origin: str) -> None:
    if column is not None:
        table.add_row(_plain(role), _plain(column), _plain(origin))


def _plain(text: str) -> Text:
    """Text from the data: no markup, no control characters."""
    return Text(one_line(text))
