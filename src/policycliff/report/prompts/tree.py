"""The prefix tree of one prompt's texts, over words: where completions go on together, and where they part.

As in the question `prefix-tree` a prefix is a state, the next word or the end an action, and the value of a prefix the
best reward below it. Chains without a parting are one node. Cost: sorting the texts, then linear in their words.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from policycliff.report.format import Number
from policycliff.report.prompts.differences import CJK, alike

MOST_DEPTH = 24
"""Partings below each other; what lies deeper is one node."""

_WORD = re.compile(rf"\s*(?:[{CJK}]|[^\s{CJK}]+)|\s+")


@dataclass(frozen=True, slots=True)
class Text:
    """A behaviour: one text with all its draws.

    Attributes:
        words: Its words, each with the blanks before it; of a text that was cut those that are known whole.
        draws: Completions that it stands for.
        scored: Those of them that have the reward.
        reward: Their mean reward; None without any.
        best: Whether it shares the best reward.
        cut: Whether the text goes on beyond its words.
        name: What the page calls it.
    """

    words: tuple[str, ...]
    draws: int
    scored: int
    reward: Number | None
    best: bool
    cut: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A prefix after which texts part, or an end.

    Attributes:
        words: What it adds to the node above.
        texts: All texts that begin so.
        ways: The ways on; none where the texts end, or are not told apart.
    """

    words: tuple[str, ...]
    texts: tuple[Text, ...]
    ways: tuple["Node", ...]


def words_with_blanks(text: str) -> tuple[str, ...]:
    r"""The words of a text, which together are the text.

    >>> words_with_blanks("if n:\n  return")
    ('if', ' n:', '\n  return')
    """
    return tuple(_WORD.findall(text))


def tree_of(texts: Sequence[Text]) -> Node:
    """The tree; its root holds the words that all texts begin with.

    >>> texts = [Text(tuple(words), 1, 1, 0.0, best=words == "ac") for words in ("ab", "a", "ac")]
    >>> [way.words for way in tree_of(texts).ways]
    [('c',), ('b',), ()]
    """
    return _node(sorted(texts, key=lambda text: text.words), 0, 0)


def _node(texts: Sequence[Text], start: int, depth: int) -> Node:
    """The node of sorted texts that are alike up to `start`."""
    first = texts[0].words
    end = alike(first, texts[-1].words)
    ended = sum(len(text.words) == end for text in texts)
    here = first[start:end]
    if ended == len(texts) or depth == MOST_DEPTH:
        return Node(here, tuple(texts), ())
    groups = [list(group) for _, group in groupby(texts[ended:], key=lambda text: text.words[end])]
    ways = [_node(group, end, depth + 1) for group in groups]
    if ended:
        ways.append(Node((), tuple(texts[:ended]), ()))
    return Node(here, tuple(texts), tuple(sorted(ways, key=weight, reverse=True)))


def weight(node: Node) -> tuple[bool, int]:
    """What is shown first: nodes with a best text below, then those of more completions. No node is below a lesser."""
    return any(text.best for text in node.texts), sum(text.draws for text in node.texts)


def nodes_of(node: Node) -> Iterator[Node]:
    """A node and all below it, each before those below it."""
    yield node
    for way in node.ways:
        yield from nodes_of(way)


def mean_shared(texts: Sequence[Text]) -> float:
    """Words that a text shares with the one most like it from the beginning, on average over different texts."""
    different = sorted({text.words for text in texts})
    shared = [alike(one, other) for one, other in pairwise(different)]
    if not shared:
        return 0.0
    return sum(map(max, [0, *shared], [*shared, 0])) / len(different)
