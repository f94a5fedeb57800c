"""The map under another reward (Prop 4.3, Prop 4.7, Result 4): the swap matrix and the soft policies' distance."""

from collections.abc import Sequence
from typing import Any

from policycliff.report.cells import mean_cell, name_cell, share_cell
from policycliff.report.elements import Html, details, join, paragraph, table
from policycliff.report.format import count, number, percent, share_text
from policycliff.report.plots.layout import Plot
from policycliff.report.plots.pairs import Pair, names_of, swap_matrix
from policycliff.report.sections.section import Section, beside, plot_box, tile, tiles
from policycliff.report.summary import Result
from policycliff.report.text import one_line, short

_SHOWN = 12
_ESTIMABLE = (
    "The shift is not estimable where, in the median prompt, the reweighted sample is worth fewer than 5 completions."
)
_MATRICES = (
    ("best_changes_share", "Best sets differ"),
    ("best_disjoint_share", "No best behaviour in common"),
    ("rank_correlation", "Rank correlation within prompts"),
)
_HEAD = (
    "pair",
    "prompts",
    "best sets differ",
    "no best in common",
    "rank correlation",
    "policy shift (TV)",
    "sharp bound",
    "sup-norm bound",
    "linear bound",
    "effective samples",
)


def pairs_section(result: Result) -> Section | None:
    """Every pair of rewards; None where there is a single one and no truth."""
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    if not result["pairs"]:
        return None
    pairs.sort(key=lambda pair: -pair["best_disjoint_share"]["value"])
    plots = (
        {} if len(names_of(pairs)) < 3 else {f"swap-{key}": swap_matrix(_by_name(result), key) for key, _ in _MATRICES}
    )
    body = join(
        _matrices(plots) if plots else _single(pairs),
        _tables(pairs, result),
        _mixed_sources(result),
        _skipped(result),
    )
    meaning = (
        "What changes when one reward replaces another: whether the best behaviours change at all, and how far the "
        "KL-optimal policy moves (total variation, from 0 to 1). The bounds hold for the reweighted sample, "
        "not for completions that nobody sampled."
    )
    statement = "Prop 4.3, Prop 4.7, Result 4"
    return Section("pairs", "The map under another reward", meaning, statement, body, plots)


def _by_name(result: Result) -> list[Pair]:
    return [pair for pair in result["pairs"] if pair["prompts"]]


def _matrices(plots: dict[str, Plot]) -> Html:
    boxes = []
    for key, caption in _MATRICES:
        name = f"swap-{key}"
        boxes.append(plot_box(name, caption, plots[name], label=f"Heat map over pairs of rewards: {caption}"))
    return beside(boxes, columns=_columns(len(plots[name]["data"][0]["x"])))


def _columns(names: int) -> int:
    """How many matrices of this many names fit beside each other with their cells readable."""
    return 3 if names <= 5 else 2 if names <= 8 else 1


def _single(pairs: Sequence[Pair]) -> Html | None:
    if not pairs:
        return None
    pair = pairs[0]
    names = f"{short(pair['first'])} and {short(pair['second'])}"
    shares = [(label, pair[key]) for key, label in _MATRICES[:2]]
    correlation = pair["rank_correlation"]
    return join(
        paragraph(f"{names}:"),
        tiles(
            *(tile(label, percent(figure["value"]), _percent_bounds(figure)) for label, figure in shares),
            tile(_MATRICES[2][1], number(correlation["value"]), _bounds(correlation)),
        ),
    )


def _tables(pairs: Sequence[Pair], result: Result) -> Html:
    beta = result["beta"]
    raw = f"Rewards as they are, at beta = {number(beta['value'])} ({beta['origin']}). {_ESTIMABLE}"
    scaled = f"Rewards scaled to standard deviation 1 within each prompt, at beta = 1. {_ESTIMABLE}"
    rows = [_row(pair, pair) for pair in pairs]
    return join(
        table(_HEAD, rows[:_SHOWN], caption=raw, label="Pairs of rewards"),
        _more(rows[_SHOWN:], raw),
        details(
            "The same with rewards scaled within prompts",
            table(_HEAD, [_row(pair, pair["scaled"]) for pair in pairs], caption=scaled, label="Scaled pairs"),
        ),
    )


def _more(rows: list[list[str]], caption: str) -> Html | None:
    if not rows:
        return None
    return details(f"{count(len(rows))} more pairs", table(_HEAD, rows, caption=caption, label="More pairs"))


def _row(pair: Pair, soft: Pair) -> list[str]:
    samples = soft["effective_sample_size_median"]
    return [
        join(name_cell(pair["first"]), " / ", name_cell(pair["second"])),
        count(pair["prompts"]),
        share_cell(pair["best_changes_share"]),
        share_cell(pair["best_disjoint_share"]),
        mean_cell(pair["rank_correlation"], unknown="unknown: constant"),
        mean_cell(soft["total_variation"], unknown=soft["total_variation_status"]),
        mean_cell(soft["sharp_bound"]),
        mean_cell(soft["sup_bound"]),
        mean_cell(soft["linear_bound"]),
        number(samples),
    ]


def _mixed_sources(result: Result) -> Html | None:
    mixed = result["mixed_sources_share"]
    if mixed is None or not mixed["value"]:
        return None
    return paragraph(
        f"{share_text(mixed)} of prompts hold completions of several source models. No single policy sampled them, so "
        "the reweighted sample is no policy's optimum there: read these total variations as distances between rewards."
    )


def _skipped(result: Result) -> Html | None:
    skipped = [pair for pair in result["pairs"] if not pair["prompts"]]
    if not skipped:
        return None
    said = "; ".join(f"{one_line(pair['first'])} / {one_line(pair['second'])}: {pair['note']}" for pair in skipped)
    return paragraph(f"Not compared: {said}.")


def _percent_bounds(figure: Pair) -> str:
    return f"{percent(figure['low'])} to {percent(figure['high'])}"


def _bounds(figure: Any) -> str | None:
    return None if figure["value"] is None else f"{number(figure['low'])} to {number(figure['high'])}"
