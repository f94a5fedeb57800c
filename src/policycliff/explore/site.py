"""From an address to a page."""

import re
from collections.abc import Callable
from functools import partial
from typing import TypeAlias
from urllib.parse import urlsplit

from policycliff.errors import PolicyCliffError
from policycliff.explore.access import Access, gate
from policycliff.explore.answer import Request, Response, refused
from policycliff.explore.list_page import list_page
from policycliff.explore.opening import Exploration
from policycliff.explore.prompt_page import prompt_page
from policycliff.explore.query import RefusedError, fields_of, query_of, weights_of, whole_number
from policycliff.report.html import render_html

Answer: TypeAlias = Callable[[Request], Response]
"""What a server does with a request."""

_PROMPT = re.compile(r"/prompts/([1-9][0-9]{0,11})", re.ASCII)
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


def site_of(exploration: Exploration, access: Access) -> Answer:
    """Answers requests about an exploration; the report is rendered once."""
    return partial(_answer, exploration=exploration, access=access, report=_report(exploration))


def _answer(request: Request, *, exploration: Exploration, access: Access, report: Response) -> Response:
    try:
        stopped = gate(request, access)
        return _found(request.target, exploration, report) if stopped is None else stopped
    except RefusedError as error:
        return refused(error)
    except PolicyCliffError as error:
        return refused(RefusedError(500, str(error)))


def _found(target: str, exploration: Exploration, report: Response) -> Response:
    address = urlsplit(target)
    fields = fields_of(address.query)
    if address.path == "/":
        return report
    if address.path == "/prompts":
        return list_page(exploration, query_of(fields))
    if match := _PROMPT.fullmatch(address.path):
        place = whole_number("completions", fields.get("completions"), usual=1)
        weights = weights_of(fields, exploration.weights)
        return prompt_page(exploration, int(match[1]), query_of(fields), weights, place)
    raise RefusedError(404, "There is no such page.")


def _report(exploration: Exploration) -> Response:
    """The report as it is written to a file, with one more link in its navigation."""
    page = render_html(exploration.result, links={"All prompts": "/prompts"})
    policy = _POLICY.search(page)
    if policy is None:
        raise RuntimeError("the report has no content security policy")
    return Response(200, page, policy[1])
