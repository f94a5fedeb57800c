"""Competing completions against the first best one: which words only one of them has, and what to say of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from policycliff.report.format import count
from policycliff.report.prompts.differences import Block, blocks_of, likeness, words_of
from policycliff.report.redact import MARK
from policycliff.report.text import visible

Run = tuple[str, bool]
"""A stretch of text, and whether it is marked: only this completion has it."""

LEAST_LIKENESS = 0.3
MOST_COMPARED = 8_000
"""Characters beyond which texts are not compared; an audit writes no longer ones."""

_CUT = re.compile(r" \[\.\.\. \d+ more characters\]\Z")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Compared:
    """A completion against the reference.

    Attributes:
        runs: Its text, in stretches; empty without a text.
        note: How it differs, in words; None where there is nothing to say.
        blocks: The difference, word by word; None where none is shown.
    """

    runs: list[Run]
    note: str | None = None
    blocks: list[Block] | None = None


def letter(position: int) -> str:
    """What the page calls a completion."""
    return _LETTERS[position] if position < len(_LETTERS) else str(position + 1)


def listed(names: Sequence[str], word: str = "and") -> str:
    """Names in a row.

    >>> listed(["A", "B", "C"]), listed(["A"])
    ('A, B and C', 'A')
    """
    return f" {word} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def without_cut(text: str) -> tuple[str, str]:
    """A text as it is shown, and the mark of the audit where it cut the text.

    >>> without_cut("def f [... 12 more characters]")
    ('def f', ' [... 12 more characters]')
    """
    found = _CUT.search(text)
    return (visible(text), "") if found is None else (visible(text[: found.start()]), found.group())


def is_redacted(texts: Sequence[str | None]) -> bool:
    """Whether the texts were taken out."""
    return MARK in texts


def reference_of(competing: Sequence[Mapping[str, Any]]) -> int | None:
    """The completion that the others are compared with: the first best one that has a text."""
    texts = [(not item["is_best"], place) for place, item in enumerate(competing) if (item["text"] or "").strip()]
    return min(texts)[1] if texts else None


def compared(competing: Sequence[Mapping[str, Any]]) -> list[Compared]:
    """The completions of a prompt, in order."""
    texts = [item["text"] for item in competing]
    reference = reference_of(competing)
    if reference is None or is_redacted(texts):
        return [_plain(text) for text in texts]
    found = [
        _plain(text) if place == reference or not (text or "").strip() else _against(texts[reference], text, reference)
        for place, text in enumerate(texts)
    ]
    found[reference] = _reference(texts[reference], found)
    return found


def _plain(text: str | None, note: str | None = None) -> Compared:
    return Compared([] if text is None else [(visible(text), False)], note)


def _against(reference: str, text: str, place: int) -> Compared:
    """A text against the reference."""
    name = letter(place)
    (first, first_cut), (second, cut) = without_cut(reference), without_cut(text)
    if max(len(first), len(second)) > MOST_COMPARED:
        return _plain(text, f"Too long to compare with {name}.")
    known = " Compared as far as the texts are known." if first_cut or cut else ""
    if first == second:
        alike = "The same text as" if reference == text or known else "But for signs that look alike the same as"
        return _plain(text, f"{alike} {name}.{known}")
    blocks = blocks_of(first, second)
    if likeness(blocks) < LEAST_LIKENESS:
        return _plain(text, f"Little in common with {name}: no words are marked.{known}")
    runs = [(part, marked) for block in blocks for part, marked in ((block.equal, False), (block.second, True)) if part]
    return Compared([*runs, (cut, False)] if cut else runs, _differs(blocks, name) + known, blocks)


def _differs(blocks: Sequence[Block], name: str) -> str:
    missing, own = (sum(_words(block[side]) for block in blocks) for side in (1, 2))
    if not missing and not own:
        return f"Differs from {name} in blanks and line breaks only: marked."
    lacking = f"{_how_many(missing)} of {name} {'is' if missing == 1 else 'are'} missing"
    if not own:
        return f"{lacking} here; all else is the same."
    told = f"Marked: {_how_many(own)} not in {name}"
    return f"{told}; {lacking}." if missing else f"{told}, which is here whole."


def _how_many(words: int) -> str:
    return "1 word or sign" if words == 1 else f"{count(words)} words and signs"


def _words(text: str) -> int:
    return sum(not word.isspace() for word in words_of(text))


def _reference(text: str, others: Sequence[Compared]) -> Compared:
    """The reference, marked where no other one has its words."""
    told = [(letter(place), item.blocks) for place, item in enumerate(others) if item.blocks is not None]
    if not told:
        return _plain(text)
    shown, cut = without_cut(text)
    shared = bytearray(len(shown))
    for _, blocks in told:
        place = 0
        for block in blocks:
            shared[place : place + len(block.equal)] = b"\1" * len(block.equal)
            place += len(block.equal) + len(block.first)
    runs: list[Run] = []
    for common, group in groupby(zip(shown, shared, strict=True), key=lambda pair: pair[1]):
        runs.append(("".join(sign for sign, _ in group), not common))
    own = sum(_words(part) for part, marked in runs if marked)
    names = listed([name for name, _ in told], "or")
    note = f"Marked: {_how_many(own)} not in {names}."
    if not own:
        blanks = "Marked are blanks only; each" if any(marked for _, marked in runs) else "Each"
        note = f"{blanks} word is in {names}, too."
    return Compared([*runs, (cut, False)] if cut else runs, note)
