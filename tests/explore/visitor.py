"""Runs the server in a thread on a free port, and asks it over HTTP as a browser would."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import polars as pl

from policycliff.explore.access import Access
from policycliff.explore.opening import Exploration, opened_exploration
from policycliff.explore.server import listening, server_of
from policycliff.explore.site import site_of
from policycliff.rollouts.audit import audit
from policycliff.rollouts.parts.opened import Work
from policycliff.rollouts.progress import silent

TOKEN = "a-token-of-the-tests"


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: str


class Visitor(NamedTuple):
    """Who has the token; `exploration` is what the server looks into."""

    port: int
    exploration: Exploration

    def get(self, target: str, **more: Any) -> Got:
        """A request with the cookie."""
        headers = {"Cookie": f"policycliff-{self.port}={TOKEN}"} | more.pop("headers", {})
        return self.ask(target, headers=headers, **more)

    def ask(self, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, headers=dict(headers or {}))
            response = connection.getresponse()
            content = response.read().decode()
            return Got(response.status, dict(response.getheaders()), content)
        finally:
            connection.close()

    def page(self, target: str) -> "Seen":
        """A page that must be there."""
        got = self.get(target)
        assert got.status == 200, (target, got.status, got.body[-300:])
        return Seen(got.body)


class Seen(HTMLParser):
    """What is on a page: links by their text, rows of its table, definitions a block, facts, tiles."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.scores: list[dict[str, str]] = []
        self.facts: list[str] = []
        self.tiles: dict[str, str] = {}
        self._values: list[str] = []
        self._open: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag == "dl":
            self.scores.append({})
        if tag not in {"meta", "input", "wbr", "br"}:
            self._open.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        self._open = [(tag, attrs, text + data) for tag, attrs, text in self._open]

    def handle_endtag(self, tag: str) -> None:
        name, attrs, text = self._open.pop()
        assert name == tag, (name, tag)
        kind = (attrs.get("class") or "").split()
        if tag == "a":
            self.links.append((text, attrs["href"] or ""))
        elif tag in {"td", "th"}:
            self.rows[-1].append(text)
        elif tag in {"dt", "dd"}:
            self._values.append(text)
            if tag == "dd":
                name, value = self._values[-2:]
                self.scores[-1][name] = value
        elif tag == "p" and kind[:1] == ["facts"]:
            self.facts.append(text)
        elif tag == "div" and kind == ["value"]:
            self._values.append(text)
        elif tag == "div" and kind == ["label"]:
            self.tiles[text] = self._values[-1]

    def link(self, text: str) -> str | None:
        """Where the first link of this text leads."""
        return next((to for name, to in self.links if name == text), None)

    def prompts(self) -> list[int]:
        """Numbers of the prompts that the page's table leads to."""
        paths = [urlsplit(to).path for _, to in self.links]
        return [int(path.rpartition("/")[2]) for path in paths if path.startswith("/prompts/")]


@contextmanager
def explored(path: Path, table: pl.DataFrame, *, work: Work | None = None, **options: Any) -> Iterator[Visitor]:
    """A visitor of the audit of a table that is written to a path."""
    table.write_parquet(path)
    result = audit(path, **options).to_dict()
    with served(result, work=work) as found:
        yield found


@contextmanager
def served(result: dict[str, Any], *, tables: tuple[str, ...] = (), work: Work | None = None) -> Iterator[Visitor]:
    """A visitor of an audit."""
    with listening(0) as listener, opened_exploration(result, tables, work or Work(), silent) as exploration:
        access = Access(TOKEN, listener.getsockname()[1])
        server = server_of(listener, site_of(exploration, access))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Visitor(access.port, exploration)
        finally:
            server.shutdown()
            thread.join()
