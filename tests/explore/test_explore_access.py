"""Who is answered: GET and HEAD, by a right name of the host, with the token; who else asks is told no."""

import socket
from contextlib import closing

import pytest
from visitor import TOKEN, Got, Visitor

from policycliff.errors import InvalidInputError
from policycliff.explore.access import Access, gate
from policycliff.explore.answer import Request
from policycliff.explore.server import listening

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def assert_closed(got: Got) -> None:
    """No texts, no traceback, and all headers."""
    assert "Question" not in got.body
    assert "Traceback" not in got.body
    assert {name: got.headers[name] for name in HEADERS} == HEADERS
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; frame-ancestors 'none'")
    assert "script-src" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("target", ["/", "/prompts", "/prompts/1", "/nowhere"])
def test_without_the_token_nothing_is_shown(visitor, target):
    for cookie in (
        "",
        "policycliff-1=x",
        f"policycliff-{visitor.port}=",
        f"policycliff-{visitor.port}={TOKEN}x",
        "=;;é",
    ):
        got = visitor.ask(target, headers={"Cookie": cookie.encode().decode("latin-1")})
        assert got.status == 403
        assert_closed(got)
    for token in ("", "x", TOKEN[:-1], "%C3%A9", f"{TOKEN}%00"):
        assert visitor.ask(f"{target}?token={token}").status == 403
    assert visitor.ask(f"{target}?token={TOKEN}&token=x").status == 403


def test_the_address_with_the_token_sets_a_strict_cookie_and_leads_on(visitor):
    got = visitor.ask(f"/?token={TOKEN}")
    assert got.status == 200
    assert_closed(got)
    assert got.headers["Refresh"] == "0; url=/"
    assert TOKEN not in got.body
    cookie, *rules = got.headers["Set-Cookie"].split("; ")
    assert rules == ["Path=/", "HttpOnly", "SameSite=Strict"]
    among = {"Cookie": f"other=1; {cookie}; last"}
    assert visitor.ask("/prompts", headers=among).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "",
        "127.0.0.1.evil.example:{port}",
        "[::1]:{port}",
    ],
)
def test_other_names_of_the_host_are_refused(visitor, host):
    for target in ("/prompts", f"/?token={TOKEN}"):
        got = visitor.get(target, headers={"Host": host.format(port=visitor.port)})
        assert got.status == 421
        assert "Set-Cookie" not in got.headers
        assert_closed(got)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
def test_names_of_the_loopback_are_answered(visitor, host):
    assert visitor.get("/prompts", headers={"Host": host.format(port=visitor.port)}).status == 200


def test_the_host_must_be_said_once():
    access = Access(TOKEN, 80)
    cookie = f"policycliff-80={TOKEN}"
    assert gate(Request("/", ("localhost",), cookie), access) is None
    for hosts in ((), ("localhost", "localhost"), ("localhost:8080",)):
        stopped = gate(Request("/", hosts, cookie), access)
        assert stopped is not None
        assert stopped.status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"])
def test_other_methods_are_refused(visitor, method):
    got = visitor.get("/prompts", method=method)
    assert got.status == 405
    assert got.headers["Allow"] == "GET, HEAD"
    assert_closed(got)


@pytest.mark.parametrize("target", ["/", "/prompts", "/prompts/2", "/nowhere"])
def test_head_gives_the_headers_of_get(visitor, target):
    head, got = visitor.get(target, method="HEAD"), visitor.get(target)
    assert head.body == ""
    assert head.status == got.status
    length = head.headers["Content-Length"]
    assert length == got.headers["Content-Length"] == str(len(got.body.encode()))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nowhere", 404),
        ("/prompts/", 404),
        ("/prompts/0", 404),
        ("/prompts/61", 404),
        ("/prompts/1e1", 404),
        ("/prompts/-1", 404),
        ("/prompts/99999999999999999999", 404),
        ("/../etc/passwd", 404),
        ("//evil.example/prompts", 404),
        ("/prompts/1/2", 404),
        ("/prompts?page=99", 404),
        ("/prompts?page=99999999999", 404),
        ("/prompts/1?completions=2", 404),
        ("/prompts?page=0", 400),
        ("/prompts?page=-1", 400),
        ("/prompts?page=one", 400),
        ("/prompts?page=%D9%A1", 400),
        ("/prompts?page=9999999999999999999999999", 400),
        ("/prompts?size=201", 400),
        ("/prompts?size=0", 400),
        ("/prompts?size=", 400),
        ("/prompts?show=everything", 400),
        ("/prompts?order=--radius", 400),
        ("/prompts/1?order=__class__", 400),
        ("/prompts?search=%ff", 400),
        (f"/prompts?search={'x' * 1001}", 400),
        (f"/prompts?{'&'.join('a=b' for _ in range(300))}", 400),
        ("/prompts/1?completions=0", 400),
        ("/prompts/1?w1=nan", 400),
        ("/prompts/1?w1=1e999", 400),
        ("/prompts/1?w1=much", 400),
        ("/prompts/1?w1=0&w2=0", 400),
    ],
)
def test_what_has_no_page_is_refused_in_plain_words(visitor, target, status):
    got = visitor.get(target)
    assert got.status == status, got.body
    assert f"<h1>{status} " in got.body
    assert_closed(got)


def sent(visitor: Visitor, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", visitor.port), timeout=30)) as connection:
        connection.sendall(request)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize(
    "request_",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\xff\r\n\r\n"],
)
def test_what_is_no_request_does_not_stop_the_server(visitor, request_, capfd):
    assert b"Traceback" not in sent(visitor, request_)
    assert visitor.get("/prompts").status == 200
    assert capfd.readouterr().err == ""


def test_a_page_that_fails_is_a_page_and_one_line(visitor, capfd, monkeypatch):
    monkeypatch.setattr("policycliff.explore.site.list_page", lambda *_: 1 / 0)
    got = visitor.get("/prompts")
    assert got.status == 500
    assert_closed(got)
    monkeypatch.undo()
    assert visitor.get("/prompts").status == 200
    assert capfd.readouterr().err.count("\n") == 1


def test_only_the_loopback_interface_is_listened_on():
    with listening(0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        for other in ("127.0.0.2", "::1"):
            family = socket.AF_INET6 if ":" in other else socket.AF_INET
            with socket.socket(family) as client, pytest.raises(OSError):  # noqa: PT011 - refused, or no such address
                client.connect((other, port))
        with pytest.raises(InvalidInputError, match=f"cannot listen on port {port}.*--port"), listening(port):
            pass
