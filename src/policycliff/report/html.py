"""The audit as one self-contained page, a pure function of the JSON result.

Cost: linear in what is shown, which does not grow with the number of prompts.
"""

from collections.abc import Callable, Mapping

from policycliff.report.cells import name_cell
from policycliff.report.elements import Html, join, tag
from policycliff.report.page import assemble_page
from policycliff.report.sections.advice import advice_section
from policycliff.report.sections.cliff import cliff_section
from policycliff.report.sections.limits import limits_section
from policycliff.report.sections.methods import methods_section
from policycliff.report.sections.normalisation import normalisation_section
from policycliff.report.sections.pairs import pairs_section
from policycliff.report.sections.price import price_section
from policycliff.report.sections.prompts import prompts_section
from policycliff.report.sections.section import Section
from policycliff.report.sections.steps import steps_section
from policycliff.report.sections.temperature import temperature_section
from policycliff.report.sections.ties import ties_section
from policycliff.report.sections.verdict import verdict_section
from policycliff.report.sections.weights import weights_section
from policycliff.report.summary import Result, counts_line, left_out, recognised_columns, reward_formula, title, watched
from policycliff.report.text import one_line

_SECTIONS: tuple[Callable[[Result], Section | None], ...] = (
    ties_section,
    cliff_section,
    pairs_section,
    temperature_section,
    weights_section,
    price_section,
    steps_section,
    normalisation_section,
    advice_section,
    prompts_section,
)


def render_html(result: Result, *, links: Mapping[str, str] | None = None) -> str:
    """The page of an audit.

    Args:
        result: What `Audit.to_dict` gives, or the same read back from JSON.
        links: More entries of the page's navigation, where it is served beside other pages: texts and addresses.

    Returns:
        The whole page as text, to be written as UTF-8. The same result gives the same text.
    """
    name = f"Reward audit of {one_line(title(result))}"
    return assemble_page(title=name, header=_header(result), sections=_sections(result), links=links)


def _sections(result: Result) -> list[Section]:
    evidence = [section for make in _SECTIONS if (section := make(result)) is not None]
    evidence += [limits_section(result), methods_section(result)]
    return [verdict_section(result, {section.key: section.title for section in evidence}), *evidence]


def _header(result: Result) -> Html:
    columns = [
        tag("li", f"{role}: ", tag("code", one_line(column)), " (guessed)" if origin == "guessed" else None)
        for role, column, origin in recognised_columns(result)
    ]
    odd = [tag("li", one_line(line)) for line in left_out(result)]
    return tag(
        "header",
        tag("p", "Reward audit", class_="overline"),
        tag("h1", name_cell(title(result))),
        tag("p", counts_line(result), class_="counts"),
        tag("p", "Trained on ", tag("code", one_line(reward_formula(result))), _beside(result), class_="counts"),
        tag("details", tag("summary", "Columns, and what was left out"), tag("ul", columns), tag("ul", odd)),
    )


def _beside(result: Result) -> Html | None:
    """What the trained-on reward is held against."""
    truth = result["settings"]["columns"]["truth"]["column"]
    names = [*watched(result), *([] if truth is None else [truth])]
    if not names:
        return None
    return join(
        ", held against ",
        [join(", " if position else "", tag("code", one_line(name))) for position, name in enumerate(names)],
    )
