"""Reads a description of a JSON tree: a line a key, `key | type | notes`, as the head of `audit.txt` explains."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Name = Literal["audit", "answer", "mdp", "theorems"]
NAMES: tuple[Name, ...] = ("audit", "answer", "mdp", "theorems")

ANY_KEY, ELEMENT = "{}", "[]"
TEXTS = ("ours", "data", "step", "reason", "sentence")
_STEPS = re.compile(r"\[\]|[^.\[\]]+")


@dataclass(slots=True)
class Field:
    """What may stand at one place of the tree.

    Attributes:
        types: Names of types, as in the reference.
        choices: The only texts there may be; empty for any.
        text: What its texts are: one of `TEXTS`; empty where there are none, or nobody has said.
        needed_if: The key beside it without which it may be absent; None where it always may, empty where it never may.
        version: The version that is read, for the key that holds it.
        members: Keys of a map that are always there.
        only_members: The map has no others: another key is one that this version does not know.
        children: By key; `{}` for any other key of a map, `[]` for the elements of a list.
    """

    types: tuple[str, ...] = ("object",)
    choices: tuple[str, ...] = ()
    text: str = ""
    needed_if: str | None = ""
    version: int | None = None
    members: tuple[str, ...] = ()
    only_members: bool = False
    children: dict[str, "Field"] = field(default_factory=dict)

    def child(self, key: str) -> "Field | None":
        """What stands under a key; None where this version does not know it."""
        own = self.children.get(key)
        if own is not None or (self.only_members and key not in self.members):
            return own
        return self.children.get(ANY_KEY)

    def required(self, beside: Mapping[str, Any]) -> Iterator[str]:
        """The keys that an object must have, given what else it has."""
        for key, child in self.children.items():
            if child.needed_if == "" or (child.needed_if is not None and beside.get(child.needed_if)):
                yield from self.members if key == ANY_KEY else (key,)


def lines_of(name: Name) -> Iterator[tuple[str, str, list[str]]]:
    """Key, type and notes of every line of a description."""
    text = files("policycliff.report.schema").joinpath(f"{name}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            key, types, *notes = line.split(" | ")
            yield key, types, notes[0].split("; ") if notes else []


@cache
def described(name: Name) -> Field:
    """The tree of a kind of result; nobody may change it."""
    root = Field()
    for key, types, notes in lines_of(name):
        *parents, last = _STEPS.findall(key)
        place = root
        for step in parents:
            place = place.children.setdefault(step, Field())
        words = {note.partition(" ")[0]: note.partition(" ")[2].removeprefix("of ").split(", ") for note in notes}
        place.children[last] = _field(types.split(" or "), words)
        if "named" in words:
            place.members, place.only_members = tuple(words["named"]), True
    return root


def _field(names: list[str], words: Mapping[str, list[str]]) -> Field:
    number = "part" if "part" in words else "number"
    made = Field(
        types=tuple("list" if name.startswith("list of ") else number if name == "number" else name for name in names),
        choices=tuple(words.get("one", ())),
        text=next((word for word in words if word in TEXTS), "ours" if "one" in words else ""),
        needed_if=None if "optional" in words else words.get("if", [""])[0],
        version=int(words["version"][0]) if "version" in words else None,
        members=tuple(words.get("with", ())),
    )
    for name in names:
        made.children |= _inner(name, number, made.text)
    return made


def _inner(name: str, number: str, text: str) -> dict[str, Field]:
    """The parts of a type that has some."""
    if name == "share":
        bounds = {key: Field(("part", "null")) for key in ("value", "low", "high")}
        return bounds | {key: Field(("integer",)) for key in ("count", "total")}
    if name == "figure":
        return {key: Field((number, "null")) for key in ("value", "low", "high")}
    if name == "quantiles":
        return {key: Field(("number",)) for key in ("p05", "p25", "p50", "p75", "p95")}
    if name.startswith("list of "):
        inner = name.removeprefix("list of ")
        return {ELEMENT: Field((number if inner == "number" else inner,), text=text)}
    return {}
