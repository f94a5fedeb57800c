"""The tables of the terminal report: rewards, pairs, weights, price of degeneracy."""

from rich import box
from rich.table import Table
from rich.text import Text

from policycliff.report.format import number, percent
from policycliff.report.reward_rows import REWARD_ROWS, Figures, Parts, mean_parts, share_parts
from policycliff.report.summary import Result, shown_rewards
from policycliff.report.text import in_two, short
from policycliff.rollouts.settings import EFFECTIVE

_LABEL_WIDTH = 24
_WIDE_CELL = 22
_NARROW_CELL = 15
_MOST_PAIRS = 4
_WIDE_SCREEN = 100


def rewards_table(result: Result, width: int) -> Table:
    """A column per reward; cells of one line where they fit, else of two; rewards that do not fit are named below."""
    rewards = shown_rewards(result)
    wide = _LABEL_WIDTH + _WIDE_CELL * len(rewards) <= width
    room = max(1, (width - _LABEL_WIDTH) // (_WIDE_CELL if wide else _NARROW_CELL))
    shown, hidden = list(rewards)[:room], list(rewards)[room:]
    table = _table(caption=_hidden_note(hidden))
    table.add_column("reward", no_wrap=True)
    for name in shown:
        table.add_column(Text(_heading(name, rewards[name], wide=wide)), justify="right", overflow="fold")
    for label, cell in REWARD_ROWS:
        cells = [cell(rewards[name]) for name in shown]
        if any(cells):
            table.add_row(label, *(_cell(parts, wide=wide) for parts in cells))
    return table


def pairs_table(result: Result, width: int) -> Table | None:
    """Pairs of rewards that disagree most."""
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: -pair["best_disjoint_share"]["value"])
    hidden, wide = len(pairs) - _MOST_PAIRS, width >= _WIDE_SCREEN
    table = _table(caption=f"{hidden} more pairs in the report and in --json" if hidden > 0 else None)
    table.add_column("pair", overflow="fold")
    for heading in ("best sets\ndiffer", "no best\nin common", "rank\ncorr.", "policy\nmoves (TV)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in pairs[:_MOST_PAIRS]:
        disjoint = share_parts("best_disjoint_share")(pair)
        others = (
            share_parts("best_changes_share")(pair),
            mean_parts(pair["rank_correlation"]),
            mean_parts(pair["total_variation"]) or ("not estimable", ""),
        )
        changes, correlation, shift = (_cell(parts if wide else _bare(parts), wide=True) for parts in others)
        label = Text(f"{short(pair['first'], 20)} /\n{short(pair['second'], 20)}")
        table.add_row(label, changes, _cell(disjoint, wide=True), correlation, shift)
    return table


def weights_table(result: Result) -> Table | None:
    """How far each weight is from changing what is best; nothing to say of a single weight."""
    weights = result["weights"]
    if len(weights) < 2:
        return None
    table = _table()
    table.add_column("nearest wall of", overflow="fold")
    table.add_column("now", justify="right")
    for heading in ("on it", "within 10 %", "within 50 %", "farther", "never"):
        table.add_column(heading, justify="right")
    for weight in weights:
        table.add_row(Text(short(weight["name"])), number(weight["weight"]), *_wall_shares(weight))
    return table


def _wall_shares(weight: Figures) -> list[str]:
    within = {round(100 * item["factor"]): item["share"]["value"] for item in weight["within"]}
    on_wall, never = weight["on_wall_share"]["value"], weight["never_crosses_share"]["value"]
    farther = max(0.0, 1.0 - on_wall - within[50] - never)
    farther = 0.0 if farther < 1e-9 else farther
    return [percent(value) for value in (on_wall, within[10], within[50], farther, never)]


def price_table(result: Result) -> Table | None:
    """Truth that the policies reach which are all optimal for the trained-on reward."""
    truth = result["truth"]
    if truth is None or not truth["prompts"]:
        return None
    table = _table()
    table.add_column(Text(short(truth["column"])), overflow="fold")
    for heading in ("sampled", "worst\ntied", "best\ntied", "best\nsampled", "left to\nchance"):
        table.add_column(heading, justify="right")
    for key, label in (("all", "all prompts"), ("with_spread", "with spread"), ("zero_spread", "zero spread")):
        stratum = truth[key]
        if stratum["prompts"]:
            levels = ("sampling_truth", "worst_truth", "best_truth", "largest_truth")
            cells = [number(stratum[level]["value"]) for level in levels]
            chance = _cell(mean_parts(stratum["exposure"]), wide=True)
            table.add_row(f"{label} ({stratum['prompts']:,})", *cells, chance)
    return table


def _table(caption: str | None = None) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        caption=None if caption is None else Text(caption),
        caption_justify="left",
        pad_edge=False,
        header_style="bold",
        collapse_padding=True,
        show_edge=False,
    )


def _heading(name: str, figures: Figures, *, wide: bool) -> str:
    label = short(name, _WIDE_CELL - 2) if wide else "\n".join(in_two(name, 2 * _NARROW_CELL - 4))
    return f"{label} (sum)" if name == EFFECTIVE and figures["weight"] is None else label


def _hidden_note(hidden: list[str]) -> str | None:
    if not hidden:
        return None
    return f"not shown here: {', '.join(short(name, 24) for name in hidden)}. The report and --json have them."


def _cell(parts: Parts | None, *, wide: bool) -> Text:
    if parts is None:
        return Text("unknown", style="dim")
    value, sure = parts
    if not sure:
        return Text(value)
    return Text.assemble(value, " " if wide else "\n", (f"({sure})", "dim"))


def _bare(parts: Parts | None) -> Parts | None:
    """Without the interval, where there is no room for it."""
    return None if parts is None else (parts[0], "")
