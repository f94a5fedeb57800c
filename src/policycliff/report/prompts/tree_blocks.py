"""A prefix tree as nested blocks to open and close, bounded in its size: what is not shown is counted."""

import re
from collections.abc import Sequence

from policycliff.report.elements import Html, join, tag
from policycliff.report.format import count, number, quantity
from policycliff.report.prompts.compared import listed
from policycliff.report.prompts.tree import Node, Text, nodes_of, tree_of, weight

MOST_NODES = 40
"""Nodes of a tree that are shown: those with best texts below, then those that most completions pass through."""

_LONGEST, _OPEN_DEPTH = 160, 2
_LINE_BREAK = re.compile(r"\A\s*\n")


def tree_block(title: str, texts: Sequence[Text]) -> Html:
    """The tree under its title, closed at first."""
    root = tree_of(texts)
    most = sorted(nodes_of(root), key=weight, reverse=True)[:MOST_NODES]
    best = sum(text.best for text in texts)
    inner = tag("ul", _node(root, {id(node) for node in most}, best, 0), class_="tree")
    return tag("details", tag("summary", title), inner, class_="tree")


def _node(node: Node, shown: set[int], best: int, depth: int) -> Html:
    """A node with the ways on from it. `shown` are the nodes to show, `best` the best texts of the whole tree."""
    breaks = tag("span", "⏎ ", class_="facts") if _LINE_BREAK.match("".join(node.words)) else None
    label = tag("span", _label(node, depth), class_="way")
    line = join(breaks, label, " ", tag("span", _facts(node, best), class_="facts"))
    here = sum(text.best for text in node.texts)
    class_ = None if not here or not depth else "all-best" if here == best else "some-best"
    if not node.ways:
        return tag("li", line, class_=class_)
    ways = [_node(way, shown, best, depth + 1) for way in node.ways if id(way) in shown]
    others = [way for way in node.ways if id(way) not in shown]
    inner = tag("ul", ways, tag("li", _left_out(others), class_="facts") if others else None)
    opened = depth < _OPEN_DEPTH or here > 0
    return tag("li", tag("details", tag("summary", line), inner, open=opened), class_=class_)


def _label(node: Node, depth: int) -> Html | str:
    """The text that a node adds; line breaks at its beginning have been told by a sign."""
    text = "".join(node.words)
    if not text:
        cut = bool(node.texts) and all(text.cut for text in node.texts)
        told = "(the beginning)" if depth == 0 and node.ways else "(cut here)" if cut else "(ends)"
        return tag("em", told)
    text = _LINE_BREAK.sub("", text)
    if len(text) > _LONGEST:
        return join(text[:_LONGEST], tag("em", f" … {quantity('more character', len(text) - _LONGEST)}"))
    return join(text, tag("em", " … cut") if not node.ways and any(text.cut for text in node.texts) else None)


def _facts(node: Node, best: int) -> str:
    """Who passes, with what rewards, and how many of the best texts lie below."""
    texts = node.texts
    names = sorted(text.name for text in texts if text.name is not None)
    drawn = sum(text.draws for text in texts)
    several = len(texts) > 1
    told = [
        listed(names) if names else None,
        quantity("completion", drawn),
        f"{quantity('text', len(texts))} not told apart here" if several and not node.ways else None,
        _rewards(texts),
        _best(sum(text.best for text in texts), best) if several else "best" if texts[0].best else "not best",
    ]
    return " · ".join(part for part in told if part)


def _rewards(texts: Sequence[Text]) -> str:
    known = [(text.scored, text.reward) for text in texts if text.reward is not None]
    scored = sum(draws for draws, _ in known)
    if not scored:
        return "without the reward"
    without = sum(text.draws for text in texts) - scored
    some = f" ({count(without)} without)" if without else ""
    mean = sum(draws * reward for draws, reward in known) / scored
    greatest = max(reward for _, reward in known)
    if len({reward for _, reward in known}) == 1:
        return f"reward {number(greatest)}{some}"
    return f"reward mean {number(mean)}, best {number(greatest)}{some}"


def _best(here: int, best: int) -> str:
    if here == best > 0:
        return "the best text lies below" if best == 1 else f"all {count(best)} best texts lie below"
    return f"{count(here)} of {quantity('best text', best)} below" if here else "no best text below"


def _left_out(ways: Sequence[Node]) -> str:
    texts = [text for way in ways for text in way.texts]
    drawn = quantity("completion", sum(text.draws for text in texts))
    best = sum(text.best for text in texts)
    more = f", {quantity('best text', best)}" if best else ", none of them best"
    return f"{quantity('more way', len(ways))} on not shown: {drawn}, {_rewards(texts)}{more}."
