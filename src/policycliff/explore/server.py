"""A server on the loopback interface alone, which ends as soon as it is told to."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.explore.answer import Request, Response, refused
from policycliff.explore.query import RefusedError
from policycliff.explore.site import Answer

HOST = "127.0.0.1"
_SECONDS = 30


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens on the loopback interface.

    Args:
        port: Which port; 0 for a free one.

    Raises:
        InvalidInputError: The port cannot be had.
    """
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInputError(
            f"cannot listen on port {port} of {HOST}: {reason}. Give another port, or leave --port out for a free one."
        ) from error
    with listener:
        yield listener


def server_of(listener: socket.socket, answer: Answer) -> ThreadingHTTPServer:
    """A server on a socket; `serve_forever` serves until it is interrupted or shut down."""
    return _Server(listener, answer)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        super().__init__(listener.getsockname()[:2], partial(_Handler, answer=answer), bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """A browser that leaves early is no error; of any other, one line."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            sys.stderr.write(f"policycliff: a request failed: {type(error).__name__}: {error}{os.linesep}")


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server_version, sys_version = "policycliff", ""

    def __init__(self, *arguments: Any, answer: Answer) -> None:
        self._answer = answer
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer."""
        hosts = tuple(self.headers.get_all("Host", ()))
        request = Request(self.path, hosts, "; ".join(self.headers.get_all("Cookie", ())))
        try:
            response = self._answer(request)
        except Exception as error:
            # The browser gets a page, whatever it is; `handle_error` tells of it here.
            self._send(refused(RefusedError(500, f"This page could not be made: {type(error).__name__}.")))
            raise
        self._send(response)

    def do_HEAD(self) -> None:
        """As GET, but for the page itself."""
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library itself refuses: requests that are none, and every other method."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            told = RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "Pages can be read here, nothing else.")
            self._send(refused(told, headers=(("Allow", "GET, HEAD"),)))
        else:
            self._send(refused(RefusedError(code, "This is no request for a page.")))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Nothing: addresses hold a token and texts of the data."""

    def _send(self, response: Response) -> None:
        content = response.body.encode("utf-8", errors="replace")
        self.send_response(response.status)
        for name, value in response.all_headers().items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
