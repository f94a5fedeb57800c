"""Reads a page as a browser would: elements with attributes, scripts apart, text apart."""

import json
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        elements: Every element with its attributes, in order.
        scripts: Contents of executable scripts.
        plots: The plots of their JSON block; none where there is no such block.
        data: All JSON blocks by their ids.
        text: All text outside scripts and styles.
        open: Elements that were opened and not closed.
    """

    VOID = frozenset({"meta", "br", "img", "hr", "wbr", "link", "input"})

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.blocks: dict[str, str] = {}
        self.text = ""
        self.open: list[str] = []
        self.misnested: list[str] = []
        self.comments: list[str] = []
        self._inside: str | None = None
        self.feed(markup)
        self.close()
        self.data: dict[str, Any] = {name: json.loads(block) for name, block in self.blocks.items()}
        self.plots: dict[str, Any] = self.data.get("plots", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self._inside = "block" if attributes.get("type") == "application/json" else "script"
            if self._inside == "block":
                self.blocks[attributes["id"]] = ""
            else:
                self.scripts.append("")
        elif tag == "style":
            self._inside = "style"

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.misnested.append(tag)
        else:
            self.open.pop()
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside == "block":
            self.blocks[next(reversed(self.blocks))] += data
        elif self._inside is None:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def names(self) -> set[str]:
        return {tag for tag, _ in self.elements}
