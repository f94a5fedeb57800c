"""What one text has that another has not, word by word.

Lines that both have are found first, and words only between them, so that code stays together: both times as a longest
common subsequence. Its table is kept in the bits of whole numbers (Hyyrö 2004), one a word: the worst texts cost
little, for which `difflib` takes minutes. Short equal words between changes count as changed, for marks in shreds are
hard to read.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

CJK = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
"""Signs of scripts that set no blanks between words: each is taken for a word."""

_SIGNS = r"!-/:-@\[-^`{-~\u2010-\u2027\u2030-\u205e"
_WORD = re.compile(rf"[^\s{_SIGNS}{CJK}]+|\n|[^\S\n]+|.", re.DOTALL)
"""Combining marks stay with their letters."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_LONGEST_SHRED = 12


class Block(NamedTuple):
    """Text that both have, and then text that only one of them has."""

    equal: str
    first: str
    second: str


def blocks_of(first: str, second: str) -> list[Block]:
    """The first text is all `equal` and `first` in turn, the second one all `equal` and `second`.

    >>> blocks_of("return 1 if odd", "return 0 if odd")
    [Block(equal='return ', first='1', second='0'), Block(equal=' if odd', first='', second='')]
    """
    return _without_shreds(_merged(_aligned(first, second, (_LINE.findall, words_of))))


def words_of(text: str) -> list[str]:
    r"""Words, punctuation marks, line breaks and runs of other blanks.

    >>> words_of("f(x)\n  y_1")
    ['f', '(', 'x', ')', '\n', '  ', 'y_1']
    """
    return _WORD.findall(text)


def likeness(blocks: Sequence[Block]) -> float:
    """Share of the characters other than blanks that both texts have: 0 for nothing, 1 for all."""
    equal, first, second = (sum(_visible_length(part) for part in parts) for parts in zip(*blocks, strict=True))
    total = 2 * equal + first + second
    return 2 * equal / total if total else 1.0


def common_places(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence, in both sequences.

    >>> common_places("abcab", "xbab")
    [(1, 1), (3, 2), (4, 3)]
    """
    bits: dict[str, int] = {}
    for place, item in enumerate(first):
        bits[item] = bits.get(item, 0) | 1 << place
    every = (1 << len(first)) - 1
    row, rows = every, []
    # In the row of a prefix of the second sequence a bit is 0 where one more item of the first is one more in common.
    for item in second:
        kept = row & bits.get(item, 0)
        row = ((row + kept) | (row - kept)) & every
        rows.append(row)
    found = []
    i, j = len(first), len(second)
    while i and j:
        if rows[j - 1] >> (i - 1) & 1:
            i -= 1
            continue
        j -= 1
        if j == 0 or rows[j - 1] >> (i - 1) & 1:
            i -= 1
            found.append((i, j))
    return found[::-1]


def _aligned(first: str, second: str, cuts: Sequence[Callable[[str], list[str]]]) -> Iterator[Block]:
    """Blocks that may be empty in part; the first of `cuts` cuts texts into items, the others what differs."""
    if first == second or not cuts:
        yield Block(first, "", "") if first == second else Block("", first, second)
        return
    one, other = cuts[0](first), cuts[0](second)
    start = alike(one, other)
    end = alike(one[start:][::-1], other[start:][::-1])
    yield Block("".join(one[:start]), "", "")
    middle, counterpart = one[start : len(one) - end], other[start : len(other) - end]
    i = j = 0
    for place, target in [*common_places(middle, counterpart), (len(middle), len(counterpart))]:
        between, instead = "".join(middle[i:place]), "".join(counterpart[j:target])
        if between and instead:
            yield from _aligned(between, instead, cuts[1:])
        else:
            yield Block("", between, instead)
        yield Block("".join(middle[place : place + 1]), "", "")
        i, j = place + 1, target + 1
    yield Block("".join(one[len(one) - end :]), "", "")


def alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many items two sequences begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def _merged(blocks: Iterator[Block]) -> list[Block]:
    """The same with nothing empty inside: what is equal, and what differs, in turn."""
    parts = [
        (bool(kind), part)
        for block in blocks
        for kind, part in enumerate((Block(block.equal, "", ""), Block("", block.first, block.second)))
        if any(part)
    ]
    merged: list[Block] = []
    for differs, group in groupby(parts, key=lambda part: part[0]):
        joined = Block(*map("".join, zip(*(part for _, part in group), strict=True)))
        if differs and merged:
            joined = Block(merged.pop().equal, joined.first, joined.second)
        merged.append(joined)
    return merged or [Block("", "", "")]


def _without_shreds(blocks: Sequence[Block]) -> list[Block]:
    """The same with short equal text between longer changes among what differs."""
    groups: list[list[Block]] = []
    before = 0
    for block in blocks:
        change = max(map(_visible_length, block[1:]))
        equal = _visible_length(block.equal)
        if groups and any(block[1:]) and equal <= min(_LONGEST_SHRED, before, change):
            groups[-1].append(block)
            before += equal + change
        else:
            groups.append([block])
            before = change
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Block]) -> Block:
    """Several blocks as one, in which all but the beginning differs."""
    first, second = (
        "".join(block[side] if place == 0 else block.equal + block[side] for place, block in enumerate(group))
        for side in (1, 2)
    )
    return Block(group[0].equal, first, second)


def _visible_length(text: str) -> int:
    return len("".join(text.split()))
