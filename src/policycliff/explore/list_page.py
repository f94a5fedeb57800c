"""The pages that list prompts: a table with links, a search, and the way to the pages before and behind."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policycliff.explore.answer import Response, page
from policycliff.explore.forms import choice, number_input, search_input, submit
from policycliff.explore.opening import Exploration
from policycliff.explore.query import LARGEST_SIZE, Query, page_of
from policycliff.report.elements import Html, escape, join, paragraph, table, tag
from policycliff.report.format import count, number, quantity
from policycliff.report.summary import title
from policycliff.report.text import one_line, short

_SHOW = {
    "all": "all",
    "tied": "tied",
    "consequential": "tied, and it matters",
    "zero-spread": "without spread",
    "unique": "one best behaviour",
    "wrong": "a worse answer preferred",
    "dropped": "on the drop list",
}
_ORDER = {
    "table": "in the order of the table",
    "radius": "nearest the cliff first",
    "tied": "most behaviours tied first",
    "spread": "least spread first",
    "reward": "greatest mean reward first",
    "truth": "least truth of the best first",
}
_ORDER_OF = {
    "Prompt": "table",
    "Tied": "tied",
    "Radius": "radius",
    "Spread": "spread",
    "Mean reward": "reward",
    "Truth of the best": "truth",
}
_NO_TRUTH = "The audit has no truth column, so nothing says which answers are worse."


def list_page(exploration: Exploration, query: Query) -> Response:
    """The page of a list that a query asks for.

    Raises:
        RefusedError: There are fewer pages.
    """
    numbers = exploration.chosen(query.show, query.order, query.reverse, query.search)
    places, pages = page_of(len(numbers), query.page, query.size)
    rows = exploration.index.prompts[numbers[places]].to_dicts()
    has_truth = exploration.whole.truth is not None
    content = (
        _header(exploration, query, len(numbers)),
        tag(
            "main",
            _form(query),
            paragraph(_NO_TRUTH) if query.show == "wrong" and not has_truth else None,
            _table(rows, query, has_truth=has_truth) if rows else paragraph("No prompt is like that."),
            _pager(query, pages),
        ),
    )
    return page(f"Prompts of {one_line(title(exploration.result))}", *content)


def way_back(query: Query) -> Html:
    """Links to the report and to the list."""
    links = (
        tag("a", "Report", href="/"),
        tag("a", "All prompts" if query == Query() else "The list", href=query.link()),
    )
    return tag("nav", links, aria_label="Pages")


def _header(exploration: Exploration, query: Query, found: int) -> Html:
    every = len(exploration.index.prompts)
    told = quantity("prompt", every) if found == every else f"{count(found)} of {quantity('prompt', every)}"
    return join(
        tag(
            "header",
            tag("p", one_line(title(exploration.result)), class_="overline"),
            tag("h1", "Prompts"),
            tag("p", f"{told}, {_order_words(query)}.", class_="counts"),
        ),
        way_back(Query()),
    )


def _order_words(query: Query) -> str:
    return f"{_ORDER[query.order]}, turned round" if query.reverse else _ORDER[query.order]


def _form(query: Query) -> Html:
    order = f"-{query.order}" if query.reverse else query.order
    orders = {**_ORDER, order: _order_words(query)}
    return tag(
        "form",
        choice("show", "Show", _SHOW, query.show),
        choice("order", "Order", orders, order),
        search_input("search", "Text or name", query.search),
        number_input("size", "A page", str(query.size), min="1", max=str(LARGEST_SIZE), step="1"),
        submit("Show"),
        action="/prompts",
        method="get",
        class_="ask",
        role="search",
    )


def _table(rows: list[dict[str, Any]], query: Query, *, has_truth: bool) -> Html:
    head = ["Prompt", "Completions", "Behaviours", "Tied", "Radius", "Spread", "Mean reward", "Best reward"]
    truth = ["Truth of the best", "Greatest truth"] if has_truth else []
    names = [_heading(name, query) for name in (*head, *truth, "What")]
    body = [[*_cells(row, query), *(_truth_cells(row) if has_truth else ()), _marks(row)] for row in rows]
    caption = (
        "Tied: behaviours that share the best reward. Radius: the least reward error that changes the best behaviour. "
        "Spread: standard deviation of the reward over the completions."
    )
    return table(names, body, label="Prompts", caption=caption)


def _heading(name: str, query: Query) -> str:
    """A column's name; a link where it can be the order, and the other way round where it is."""
    order = _ORDER_OF.get(name)
    if order is None:
        return name
    turned = order == query.order and not query.reverse
    sign = (" ▴" if query.reverse else " ▾") if order == query.order else ""
    return tag("a", f"{name}{sign}", href=replace(query, order=order, reverse=turned, page=1).link())


def _cells(row: Mapping[str, Any], query: Query) -> tuple[str, ...]:
    link = tag("a", short(row["prompt"], 60) or "(no name)", href=query.link(f"/prompts/{row['number'] + 1}"))
    step = "" if row["step"] is None else f", step {one_line(row['step'], 20)}"
    name = join(link, " ", tag("span", f"prompt {count(row['number'] + 1)}{step}", class_="sure"))
    figures = (
        number(row[key]) if row[key] is not None else "–" for key in ("radius", "spread", "mean_reward", "best_reward")
    )
    counts = (count(row[key]) if row[key] is not None else "–" for key in ("completions", "behaviours", "tied_size"))
    return name, *counts, *figures


def _truth_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(number(row[key]) if row[key] is not None else "–" for key in ("truth_picked", "truth_largest"))


def _marks(row: Mapping[str, Any]) -> Html:
    """What is special about a prompt, in words."""
    return escape(", ".join(marks_of(row)))


def marks_of(row: Mapping[str, Any]) -> list[str]:
    """What is special about a prompt."""
    if row["scored"] is None:
        return ["fewer than two rewards"]
    marks = {
        "consequential tie": row["consequential"],
        "harmless tie": row["tied_size"] > 1 and not row["consequential"],
        "no spread": row["zero_spread"],
        "worse answer preferred": row["wrong"],
    }
    dropped = [] if row["dropped"] in {None, "zero spread"} else [one_line(row["dropped"])]
    return [name for name, holds in marks.items() if holds] + dropped


def _pager(query: Query, pages: int) -> Html:
    """Links to the first, previous, next and last page."""
    steps = (("First", 1), ("Previous", query.page - 1), ("Next", query.page + 1), ("Last", pages))
    links = [
        tag("a", name, href=replace(query, page=target).link())
        for name, target in steps
        if 1 <= target <= pages and target != query.page
    ]
    return tag(
        "nav",
        links,
        tag("span", f"Page {count(query.page)} of {count(pages)}"),
        class_="pager",
        aria_label="More prompts",
    )
