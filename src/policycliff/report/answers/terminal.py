"""An answer in a terminal: findings, then tables; built from `Text`, never from markup."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policycliff.report.answers.cells import cell_text
from policycliff.report.terminal import findings_grid
from policycliff.report.text import one_line

_MOST_ROWS, _LONGEST_TEXT = 15, 60


def print_answer(result: Mapping[str, Any], console: Console) -> None:
    """Print an answer.

    Args:
        result: What `Answer.to_dict` gives, or the same read back from JSON.
        console: Where to print.
    """
    console.print()
    console.print(Text(one_line(result["title"]), style="bold"))
    console.print(findings_grid(result["findings"]))
    for table in result["tables"]:
        console.print()
        console.print(
            Text.assemble((one_line(table["title"]).upper(), "bold"), ("  " + one_line(table["meaning"]), "dim"))
        )
        console.print(_table(table))
        left = len(table["rows"]) - _MOST_ROWS
        if left > 0:
            console.print(Text(f"and {left} more rows: see --json or --html", style="dim"))
    for item in result["settings"].get("skipped", ()):
        told = f"left out or odd: {item['count']} {item['unit']}: {item['reason']}"
        console.print(Text(one_line(told), style="yellow"))


def _table(table: Mapping[str, Any]) -> Table:
    grid = Table(box=None, pad_edge=False)
    for item in table["columns"]:
        words = item["kind"] in {"name", "text"}
        grid.add_column(one_line(item["title"]), justify="left" if words else "right", overflow="fold")
    for row in table["rows"][:_MOST_ROWS]:
        cells = [cell_text(row[item["key"]], item["kind"], limit=_LONGEST_TEXT) for item in table["columns"]]
        grid.add_row(*map(Text, cells))
    return grid
