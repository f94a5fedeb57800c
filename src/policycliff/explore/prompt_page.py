"""The page of one prompt: its figures, all its completions, and who wins under other weights."""

from collections.abc import Mapping

from policycliff.explore.answer import Response, page
from policycliff.explore.forms import hidden, number_input, submit
from policycliff.explore.list_page import marks_of, way_back
from policycliff.explore.opening import Exploration
from policycliff.explore.prompt import Prompt, Question, prompt_of
from policycliff.explore.prompt_blocks import completion_block, figure_tiles, folded_text
from policycliff.explore.query import Query, RefusedError, page_of
from policycliff.report.elements import Html, join, paragraph, tag
from policycliff.report.format import count, quantity
from policycliff.report.sections.prompts import what_competes
from policycliff.report.summary import title
from policycliff.report.text import one_line, short

COMPLETIONS_A_PAGE = 20


def prompt_page(
    exploration: Exploration, number_: int, query: Query, weights: Mapping[str, float], place: int
) -> Response:
    """The page of a prompt.

    Args:
        exploration: Where it is.
        number_: Its place in the table, from 1.
        query: The list that it was found in.
        weights: Of the rewards.
        place: Which page of its completions, from 1.

    Raises:
        RefusedError: There is no such prompt, or no such page.
    """
    rows = exploration.index.prompts
    if number_ > len(rows):
        raise RefusedError(404, f"There is no prompt {number_}: the table has {len(rows)}.")
    where = rows.row(number_ - 1, named=True)
    asked = Question(exploration.settings, exploration.whole, exploration.weights, dict(weights))
    found = prompt_of(exploration.part(where["part"]), where["group"], number_ - 1, asked)
    places, pages = page_of(len(found.order), place, COMPLETIONS_A_PAGE)
    changed = changed_weights(exploration.weights, weights)
    truth = exploration.result["settings"]["columns"]["truth"]["column"]
    content = (
        _header(exploration, found),
        way_back(query),
        tag(
            "main",
            _neighbours(exploration, query, number_, changed),
            figure_tiles(found.figures),
            folded_text(found.text, "Prompt"),
            _weights_form(exploration.weights, weights, query, number_),
            _competing(exploration, found) if not changed else None,
            tag("h2", quantity("completion", len(found.order)), id="completions"),
            tag(
                "div",
                [completion_block(found.completion(row), truth, changed=bool(changed)) for row in found.order[places]],
                class_="completions",
            ),
            _pager(query, number_, changed, place, pages),
        ),
    )
    return page(f"Prompt {number_} of {one_line(title(exploration.result))}", *content)


def changed_weights(usual: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, str]:
    """The fields of an address that say which weights are not the audit's."""
    return {f"w{place}": repr(weights[name]) for place, name in enumerate(usual, 1) if weights[name] != usual[name]}


def _header(exploration: Exploration, prompt: Prompt) -> Html:
    step = "" if prompt.figures["step"] is None else f" · step {one_line(prompt.figures['step'], 40)}"
    every = count(len(exploration.index.prompts))
    return tag(
        "header",
        tag(
            "p",
            f"{one_line(title(exploration.result))} · prompt {count(prompt.number + 1)} of {every}{step}",
            class_="overline",
        ),
        tag("h1", short(prompt.figures["prompt"], 120) or "(no name)"),
        tag("p", ", ".join(marks_of(prompt.figures)), class_="counts"),
    )


def _neighbours(exploration: Exploration, query: Query, number_: int, changed: Mapping[str, str]) -> Html | None:
    """Links to the prompts before and behind in the list, by the same weights; nothing where it is not in the list."""
    numbers = exploration.chosen(query.show, query.order, query.reverse, query.search)
    place = numbers.index_of(number_ - 1)
    if place is None:
        return None
    beside = {"Previous": place - 1, "Next": place + 1}
    links = [
        tag("a", name, href=_on_page(query, at).link(f"/prompts/{numbers[at] + 1}", **changed))
        for name, at in beside.items()
        if 0 <= at < len(numbers)
    ]
    told = tag("span", f"{count(place + 1)} of {count(len(numbers))} in the list")
    return tag("nav", links, told, class_="pager", aria_label="Neighbours in the list")


def _on_page(query: Query, at: int) -> Query:
    """The list, at the page that holds this place: the way back leads there."""
    return Query(query.show, query.order, query.reverse, query.search, query.size, at // query.size + 1)


def _weights_form(usual: Mapping[str, float], weights: Mapping[str, float], query: Query, number_: int) -> Html:
    """A number a reward; sent back to the same page, with the list that the prompt was found in."""
    changed = changed_weights(usual, weights)
    fields = [
        number_input(f"w{place}", one_line(name, 60), _digits(weights[name]), step="any")
        for place, name in enumerate(usual, start=1)
    ]
    path = f"/prompts/{number_}"
    back = tag("a", "Weights of the audit", href=query.link(path)) if changed else None
    form = tag(
        "form",
        fields,
        hidden(query.fields()),
        submit("Judge by these weights"),
        back,
        action=path,
        method="get",
        class_="ask",
    )
    told = "The completions below are judged by these weights, not by those of the audit." if changed else None
    inside = (tag("summary", "Other weights"), None if told is None else paragraph(told), form)
    return tag("details", *inside, open=bool(changed))


def _digits(weight: float) -> str:
    """All digits, so that the form sends back what it was given."""
    return repr(weight).removesuffix(".0")


def _competing(exploration: Exploration, prompt: Prompt) -> Html | None:
    """The block of the report, as if the prompt were listed there."""
    if prompt.entry is None:
        return None
    entry = {**prompt.entry, "same_reason": exploration.index.reasons[prompt.entry["reason"]]}
    block = tag("article", what_competes(entry, {**exploration.result, "sample": None}), class_="prompt")
    return join(tag("h2", "What competes"), block)


def _pager(query: Query, number_: int, changed: Mapping[str, str], place: int, pages: int) -> Html | None:
    if pages == 1:
        return None
    steps = (("Previous", place - 1), ("Next", place + 1))
    path = f"/prompts/{number_}"
    links = [
        tag("a", name, href=f"{query.link(path, **changed, completions=target)}#completions")
        for name, target in steps
        if 1 <= target <= pages
    ]
    told = tag("span", f"Completions {count((place - 1) * COMPLETIONS_A_PAGE + 1)} and on, page {place} of {pages}")
    return tag("nav", links, told, class_="pager", aria_label="More completions")
