"""Texts of completions as markup: marked words, long equal stretches folded, blanks and line breaks as they are."""

from collections.abc import Sequence
from itertools import pairwise

from policycliff.report.elements import Child, Html, join, tag
from policycliff.report.format import quantity
from policycliff.report.prompts.compared import Run
from policycliff.report.prompts.differences import Block

_LEAST_LINES, _LEAST_CHARACTERS = 8, 600
"""What is folded at least."""

_LINES_LEFT, _CHARACTERS_LEFT = 3, 160
"""What is left of an equal stretch at each of its ends."""


def text_box(label: str, *children: Child) -> Html:
    """A box that keeps blanks and scrolls where it is long."""
    return tag("div", *children, class_="text", tabindex="0", role="group", aria_label=label)


def marked_text(runs: Sequence[Run]) -> Html:
    """A text with marked words; where there are any, long stretches without are folded."""
    differs = any(marked for _, marked in runs)
    return join(_mark("ins", text) if marked else _equal(text) if differs else text for text, marked in runs)


def both_texts(blocks: Sequence[Block]) -> Html:
    """What was changed to get from one text to the other."""
    return join(
        join(
            _equal(block.equal),
            _mark("del", block.first) if block.first else None,
            _mark("ins", block.second) if block.second else None,
        )
        for block in blocks
    )


def _mark(name: str, text: str) -> Html:
    """Changed words; line breaks alone, which nobody would see, get a sign."""
    return tag(name, text, class_=None if text.strip() or "\n" not in text else "breaks")


def _equal(text: str) -> Html:
    head, middle, tail = folded(text)
    if not middle:
        return join(text)
    lines = middle.count("\n")
    told = quantity("equal line", lines) if lines >= _LEAST_LINES else quantity("equal character", len(middle))
    return join(head, tag("details", tag("summary", f"… {told} …"), middle, class_="equal"), tail)


def folded(text: str) -> tuple[str, str, str]:
    """The beginning, what is to be folded, and the end; all is beginning where too little would be folded."""
    lines = text.splitlines(keepends=True)
    ends = ("".join(lines[:_LINES_LEFT]), "".join(lines[-_LINES_LEFT:]))
    if len(lines) >= _LEAST_LINES + 2 * _LINES_LEFT and max(map(len, ends)) <= _LINES_LEFT * _CHARACTERS_LEFT:
        start, end = len(ends[0]), len(text) - len(ends[1])
    elif len(text) >= _LEAST_CHARACTERS + 2 * _CHARACTERS_LEFT:
        start = text.rfind(" ", 0, _CHARACTERS_LEFT) + 1 or _CHARACTERS_LEFT
        latest = len(text) - _CHARACTERS_LEFT
        end = max(text.find(" ", latest), latest)
    else:
        start = end = len(text)
    head, middle, tail = (text[a:b] for a, b in pairwise((0, start, end, len(text))))
    return head, middle, tail
