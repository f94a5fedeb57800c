"""Who may read: the person who started the server, by a token that only they know, and by no other name of the host.

The address that is printed holds the token. It is put into a cookie, and the browser goes on to an address without it.
Other users of the machine can reach the port, but lack the token; other sites can make the browser send requests, but
not with the cookie, and a name of theirs that leads here (DNS rebinding) is refused.
"""

from http import HTTPStatus
from secrets import compare_digest
from typing import NamedTuple
from urllib.parse import urlsplit

from policycliff.explore.answer import Request, Response, page, refused
from policycliff.explore.query import RefusedError, fields_of
from policycliff.report.elements import paragraph, tag

_HTTP_PORT = 80


class Access(NamedTuple):
    """What a request is held against."""

    token: str
    port: int

    @property
    def address(self) -> str:
        """Where to begin."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"


def gate(request: Request, access: Access) -> Response | None:
    """The answer to a request that may not go on to the pages; None for one that may.

    Raises:
        RefusedError: The address cannot be read.
    """
    if len(request.hosts) != 1 or request.hosts[0].lower() not in _names(access.port):
        return refused(RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "This server answers to 127.0.0.1 alone."))
    given = fields_of(urlsplit(request.target).query).get("token")
    if given is not None and _same(given, access.token):
        return _welcome(access)
    if any(_same(value, access.token) for value in _cookies(request.cookie, _cookie_name(access.port))):
        return None
    return refused(
        RefusedError(HTTPStatus.FORBIDDEN, "Open the address that policycliff explore printed: it has a token.")
    )


def _welcome(access: Access) -> Response:
    """Sets the cookie and goes on.

    The page itself leads on: after a redirect by status, a browser that came from another site or a file would not send
    a strict cookie.
    """
    cookie = f"{_cookie_name(access.port)}={access.token}; Path=/; HttpOnly; SameSite=Strict"
    content = tag("main", paragraph(tag("a", "Go on to the report", href="/")))
    return page("policycliff", content, headers=(("Set-Cookie", cookie), ("Refresh", "0; url=/")))


def _names(port: int) -> set[str]:
    names = ("127.0.0.1", "localhost")
    return {f"{name}:{port}" for name in names} | (set(names) if port == _HTTP_PORT else set())


def _cookie_name(port: int) -> str:
    """Cookies do not know ports; several servers may run."""
    return f"policycliff-{port}"


def _cookies(header: str, name: str) -> list[str]:
    pairs = (item.strip().partition("=") for item in header.split(";"))
    return [value for key, _, value in pairs if key == name]


def _same(given: str, token: str) -> bool:
    """Compared in a time that tells nothing."""
    return compare_digest(given.encode(errors="replace"), token.encode())
