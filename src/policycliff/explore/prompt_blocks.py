"""What the page of a prompt is made of: tiles of its figures, texts, and a block a completion."""

from collections.abc import Mapping
from typing import Any

from policycliff.explore.prompt import Completion
from policycliff.report.elements import Html, details, paragraph, tag
from policycliff.report.format import count, number, quantity
from policycliff.report.sections.section import tile, tiles
from policycliff.report.text import one_line, short

_LONG, _MANY_LINES = 1500, 30
_DIGITS = 6


def figure_tiles(row: Mapping[str, Any]) -> Html:
    """The figures of a prompt, from its row of the index."""
    if row["scored"] is None:
        return paragraph("Fewer than two completions have the effective reward, so nothing is decided here.")
    without = row["completions"] - row["scored"]
    tied = f"of {quantity('behaviour', row['behaviours'])}, {quantity('completion', row['scored'])}"
    figures = [
        ("share the best reward", count(row["tied_size"]), f"{tied}; {count(without)} without it" if without else tied),
        ("radius", _or_none(row["radius"]), "the least reward error that changes the best behaviour"),
        ("spread of the reward", number(row["spread"]), "standard deviation over the completions"),
        ("best reward", number(row["best_reward"]), f"mean {number(row['mean_reward'])}"),
    ]
    if row["wrong"] is not None:
        picked = f"at most {number(row['truth_best'])}; of all completions {number(row['truth_mean'])}"
        largest = "the reward ranks something worse higher" if row["wrong"] else "among the best by the reward"
        figures += [
            ("mean truth of the best by the reward", number(row["truth_picked"]), picked),
            ("greatest truth that was sampled", number(row["truth_largest"]), largest),
        ]
    return tiles(*(tile(label, value, note=note) for label, value, note in figures))


def folded_text(text: str | None, name: str) -> Html | None:
    """A text to unfold; nothing for none."""
    if not text:
        return None
    return details(f"{name}: {one_line(text, 100)}", tag("pre", text, class_="text", tabindex="0"))


def completion_block(item: Completion, truth: str | None, *, changed: bool) -> Html:
    """A completion with its scores; `changed` if the weights are not those of the audit."""
    facts = [
        "best" if item.is_best else "not best",
        "best by the weights of the audit" if changed and item.was_best else None,
        f"behaviour {item.number}" + ("" if item.behaviour is None else f", {short(item.behaviour, 60)}"),
        None if item.draws == 1 else f"drawn {item.draws} times",
        None if item.source is None else one_line(item.source),
        f"row {item.row}",
    ]
    scores = {"effective": item.effective, **item.scores}
    return tag(
        "article",
        tag("p", " · ".join(fact for fact in facts if fact), class_="facts"),
        _text(item.text),
        tag("dl", [_score(name, value, truth) for name, value in scores.items()]),
        class_="completion best" if item.is_best else "completion",
    )


def _text(text: str | None) -> Html:
    if text is None:
        return tag("p", "no text", class_="facts blank")
    if not text.strip():
        return tag(
            "p", "empty text" if not text else f"{quantity('blank', len(text))}, nothing else", class_="facts blank"
        )
    block = tag("pre", text, class_="text", tabindex="0")
    if len(text) <= _LONG and text.count("\n") < _MANY_LINES:
        return block
    return details(f"{one_line(text, 300)} ({quantity('character', len(text))})", block)


def _score(name: str, value: float | None, truth: str | None) -> Html:
    label = f"{one_line(name)} (truth)" if name == truth else one_line(name)
    shown = "missing" if value is None else number(value, digits=_DIGITS)
    return tag("div", tag("dt", label), tag("dd", shown))


def _or_none(value: float | None) -> str:
    return "none" if value is None else number(value)
