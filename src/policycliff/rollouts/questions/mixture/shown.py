"""The answer's tables."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot
from policycliff.rollouts.questions.mixture.headline import CHANCE, SHARES, TITLES
from policycliff.rollouts.questions.mixture.sweep import GRID

Figures = Mapping[str, Any]
_MOST_LINES = 8


def tables_of(figures: Figures) -> list[dict[str, Any]]:
    """The classes beside the mixture, what each contributes, each left out; walls and curves of the proportions."""
    tables = [_classes(figures), _contributions(figures), _left_out(figures)]
    if figures["walls"]:
        tables += [_walls(figures), _sweep(figures), _nearest(figures)]
    elif figures["averages"]:
        tables.append(_averages(figures))
    return tables


def _kind(name: str) -> Any:
    return "share" if name in SHARES else "mean"


def _figure_columns(names: list[str]) -> list[dict[str, str]]:
    return [column(name, TITLES[name], _kind(name)) for name in names]


def _classes(figures: Figures) -> dict[str, Any]:
    columns = [column("class", "class", "name"), column("proportion", "proportion", "share"),
               column("prompts", "prompts", "count"), *_figure_columns(figures["names"])]  # fmt: skip
    whole = {"class": "mixture", "proportion": 1.0, "prompts": figures["prompts"], **figures["mixture"]}
    return answer_table(
        "classes", "Each class, and the mixture", columns, [whole, *figures["classes"]], statement="Lemma 4.2",
        meaning="Each class under its own reward, and the mixture under the effective one, at the proportions. Margin: "
        "from the best reward to the next; gain: 1 / (spread + epsilon), what a group of the class is amplified by.",
    )  # fmt: skip


def _contributions(figures: Figures) -> dict[str, Any]:
    names = [name for name in figures["names"] if name in (*SHARES, CHANCE)]
    columns = [column("class", "class", "name"), column("proportion", "of the prompts", "share")]
    columns += [column(name, f"of {TITLES[name]}", "share") for name in names]
    rows = [{"class": item["class"], "proportion": item["proportion"], **item["contribution"]}
            for item in figures["classes"]]  # fmt: skip
    return answer_table("contributions", "What each class contributes", columns, rows,
                        meaning="Each class's part of the mixture's prompts, ties, groups without signal, and of the "
                        "truth left to chance; above its part of the prompts, it brings more.")  # fmt: skip


def _left_out(figures: Figures) -> dict[str, Any]:
    columns = [column("class", "without", "name")]
    columns += [column(name, TITLES[name], "mean") for name in figures["names"]]
    if figures["shared_prompts"]:
        columns += [column("best_changes", "best changes", "count"), column("ties_opened", "ties opened", "count")]
    return answer_table("left-out", "Each class left out", columns, figures["left_out"], statement="Sec 5.5",
                        meaning="Change of each figure of the mixture when one class is left out and the others keep "
                        "their ratios, with 95 % intervals over prompts.")  # fmt: skip


def _walls(figures: Figures) -> dict[str, Any]:
    columns = [
        column("class", "class", "name"), column("proportion", "now", "number"),
        column("below", "wall below", "text"), column("above", "wall above", "text"),
        column("on_wall", "on a wall", "share"), column("near", "wall within 0.05", "share"),
        column("never", "never a wall", "share"),
    ]  # fmt: skip
    rows = [
        {**item, **{way: "none" if item[way] is None else f"{item[way]:.4g}" for way in ("below", "above")}}
        for item in figures["walls"]
    ]
    return answer_table("walls", "Walls of the proportions", columns, rows, statement="Lemma 4.2",
                        meaning="The nearest proportion at which the best behaviour of some prompt of several classes "
                        "changes; shares of all prompts.")  # fmt: skip


def _sweep(figures: Figures) -> dict[str, Any]:
    walls = figures["walls"]
    return _curves("sweep", "Proportions moved", [item["class"] for item in walls],
                   [item["curve"] for item in walls], y_title="share of prompts changed",
                   meaning="Share of all prompts whose best behaviour is another one than today's, when the proportion "
                   "of one class is moved and the others keep their ratios.")  # fmt: skip


def _averages(figures: Figures) -> dict[str, Any]:
    title = TITLES[figures["averages"]["figure"]]
    return _curves("averages", "Proportions moved: averages only", [item["class"] for item in figures["classes"]],
                   figures["averages"]["curves"], y_title=title,
                   meaning=f"{title.capitalize()} in the mixture when the proportion of one class is moved and the "
                   "others keep their ratios. No prompt's best behaviour changes.")  # fmt: skip


def _curves(key: str, title: str, classes: list[str], curves: list[list[Any]], *, y_title: str, meaning: str) -> Any:
    keys = [f"class_{position}" for position in range(len(classes))]
    columns = [column("proportion", "proportion", "number")]
    columns += [column(name, shown, "share") for name, shown in zip(keys, classes, strict=True)]
    rows = [
        {"proportion": at, **{name: curve[position] for name, curve in zip(keys, curves, strict=True)}}
        for position, at in enumerate(GRID.tolist())
    ]
    plot = line_plot("proportion", keys[:_MOST_LINES], x_title="proportion of the class", y_title=y_title)
    return answer_table(key, title, columns, rows, meaning=meaning, plot=plot)


def _nearest(figures: Figures) -> dict[str, Any]:
    columns = [
        column("prompt", "prompt", "name"), column("class", "class", "text"), column("proportion", "now", "number"),
        column("wall", "changes at", "text"), column("best_behaviours", "best now", "count"),
        column("best", "such as", "text"),
    ]  # fmt: skip
    rows = [{**row, "wall": _wall(row), "best": row["best"] or ""} for row in figures["nearest"]]
    return answer_table("nearest", "Prompts nearest to a wall", columns, rows,
                        meaning="Where the least change of a proportion makes another behaviour the best.")  # fmt: skip


def _wall(row: Figures) -> str:
    if row["on_wall"]:
        return "any change"
    return " or ".join(f"{row[way]:.4g}" for way in ("below", "above") if row[way] is not None)
