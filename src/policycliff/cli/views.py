"""How each kind of result is shown: as a page, as Markdown, in the terminal; imported only when needed."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from policycliff.report.schema.description import Name

Result = dict[str, Any]


class Views(NamedTuple):
    """The functions that show a result.

    Attributes:
        page: Gives the HTML page.
        markdown: Gives the comment for GitHub.
        show: Prints to a console, given the result and it.
    """

    page: Callable[[Result], str]
    markdown: Callable[[Result], str]
    show: Callable[..., None]


def _lazy(place: str) -> Callable[..., Any]:
    """A function that is imported when it is called, from `module:function` under `policycliff.report`."""
    module, function = place.split(":")

    def called(*arguments: Any, **more: Any) -> Any:
        return getattr(import_module(f"policycliff.report.{module}"), function)(*arguments, **more)

    return called


VIEWS: Mapping[Name, Views] = {
    "audit": Views(_lazy("html:render_html"), _lazy("markdown.audit:markdown_audit"), _lazy("terminal:print_audit")),
    "answer": Views(
        _lazy("answers.page:render_answer"),
        _lazy("markdown.answer:markdown_answer"),
        _lazy("answers.terminal:print_answer"),
    ),
    "mdp": Views(_lazy("mdp.page:render_mdp"), _lazy("markdown.mdp:markdown_mdp"), _lazy("mdp.terminal:print_mdp")),
    "theorems": Views(
        _lazy("theorems.page:render_theorems"),
        _lazy("markdown.theorems:markdown_theorems"),
        _lazy("theorems.terminal:print_theorems"),
    ),
}
