"""Requests and responses as plain values, with the headers that keep a page to itself."""

from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from policycliff.explore.query import RefusedError
from policycliff.report.assets import digest, style
from policycliff.report.elements import Child, Html, join, paragraph, tag

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """What the server needs to know of a request.

    Attributes:
        target: Path and query.
        hosts: The values of its `Host` headers.
        cookie: Its cookies; empty for none.
    """

    target: str
    hosts: tuple[str, ...]
    cookie: str = ""


class Response(NamedTuple):
    """What is sent back.

    Attributes:
        status: Of HTTP.
        body: A page.
        policy: Its content security policy.
        headers: More of them.
    """

    status: int
    body: str
    policy: str
    headers: Headers = ()

    def all_headers(self) -> dict[str, str]:
        """Every header but the length; nothing is kept, framed, guessed at or told to others."""
        return {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": f"{self.policy}; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            **dict(self.headers),
        }


def page(title: str, *content: Child, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    """A page of our own: no script, one style sheet, forms to this server alone."""
    policy = f"default-src 'none'; style-src {digest(style())}; img-src data:; base-uri 'none'; form-action 'self'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style()),
    )
    return Response(status, document(head, tag("body", *content, class_="explore")), policy, headers)


def document(head: Html, body: Html) -> str:
    """A whole page."""
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def refused(error: RefusedError, *, headers: Headers = ()) -> Response:
    """The page of a request that has none."""
    name = HTTPStatus(error.status).phrase
    content = tag("main", tag("h1", f"{error.status} {name}"), paragraph(str(error)), home())
    return page(name, content, status=error.status, headers=headers)


def home() -> Html:
    """Where to go on."""
    return paragraph(join(tag("a", "Report", href="/"), " · ", tag("a", "All prompts", href="/prompts")))
