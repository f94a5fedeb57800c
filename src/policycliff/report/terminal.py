"""The audit in a terminal: the verdict in plain words, then the figures that it rests on.

Everything is built from `Text` objects and never from markup, so that nothing in the data is read as a style, and
`one_line` makes control characters visible before they are printed. It reads without colour: severities are words.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policycliff.report.summary import Result, counts_line, left_out, recognised_columns, reward_formula, title, watched
from policycliff.report.terminal_tables import pairs_table, price_table, rewards_table, weights_table
from policycliff.report.text import one_line, short

_STYLES = {"critical": "bold red", "warning": "yellow", "note": "cyan", "good": "green"}
_MARKS = {"critical": "!! critical", "warning": " ! warning", "note": " - note", "good": " + good"}
_LOOK_AT = 3


def print_audit(result: Result, console: Console) -> None:
    """Print an audit: verdict, counts, tables, prompts to look at first.

    Args:
        result: What `Audit.to_dict` gives, or the same read back from JSON.
        console: Where to print; its width decides how the tables are laid out.
    """
    _heading(console, "Verdict", title(result))
    console.print(findings_grid(result["verdict"]))
    _heading(console, "What was read")
    for line in _reading(result):
        console.print(Padding(line, (0, 0, 0, 1)))
    _heading(console, "Figures", "95 % intervals in brackets")
    width = console.width
    tables = (
        rewards_table(result, width),
        pairs_table(result, width),
        weights_table(result),
        price_table(result),
    )
    for position, table in enumerate(table for table in tables if table is not None):
        if position:
            console.print()
        console.print(table)
    _look_at(result, console)


def _heading(console: Console, name: str, rest: str = "") -> None:
    console.print()
    console.print(Text.assemble((name.upper(), "bold"), ("  " + one_line(rest) if rest else "", "dim")))


def findings_grid(findings: Sequence[Mapping[str, Any]]) -> Table:
    """Findings one below the other: severity, text, the statement behind it."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in findings:
        severity = finding["severity"]
        statement = f"  [{one_line(finding['statement'])}]" if finding["statement"] else ""
        text = Text.assemble(one_line(finding["text"]), (statement, "dim"))
        grid.add_row(Text(_MARKS[severity], style=_STYLES[severity]), text)
    return grid


def _reading(result: Result) -> Iterator[Text]:
    yield Text(counts_line(result))
    yield Text(f"trained on: {one_line(reward_formula(result))}")
    if watched(result):
        yield Text(f"only compared: {one_line(', '.join(watched(result)))}")
    columns = Text("columns: ")
    for position, (role, column, origin) in enumerate(recognised_columns(result)):
        columns.append(", " if position else "")
        columns.append(f"{one_line(role)} = {one_line(column)}")
        columns.append(" (guessed)" if origin == "guessed" else "", style="yellow")
    yield columns
    for line in left_out(result):
        yield Text(f"left out or odd: {one_line(line)}", style="yellow")


def _look_at(result: Result, console: Console) -> None:
    prompts = _one_of_each_reason(result["prompts_to_look_at"])[:_LOOK_AT]
    if not prompts:
        return
    _heading(console, "Look at first")
    for prompt in prompts:
        line = _prompt_line(prompt, console.width - 2)
        console.print(Padding(line, (0, 0, 0, 1)), no_wrap=True, overflow="ellipsis", crop=True)


def _one_of_each_reason(prompts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The prompts, those first that are the first of their reason."""
    leaders = {prompt["reason"]: prompt for prompt in reversed(prompts)}
    first = [prompt for prompt in prompts if leaders[prompt["reason"]] is prompt]
    return first + [prompt for prompt in prompts if leaders[prompt["reason"]] is not prompt]


def _prompt_line(prompt: Mapping[str, Any], width: int) -> Text:
    name = short(prompt["prompt"], 32)
    head = f"{name}: {prompt['reason']}"
    if prompt["differs_in"] and prompt["tied_size"] > 1:
        head += f" of {prompt['tied_size']}, in {', '.join(short(item, 24) for item in prompt['differs_in'])}"
    elif prompt["radius"] is not None:
        head += f", radius {prompt['radius']:.3g}"
    text = Text(one_line(head, width))
    rest = width - len(head) - 4
    if prompt["prompt_text"] and rest > 16:
        text.append(f'  "{one_line(prompt["prompt_text"], rest - 2)}"', style="dim")
    return text
