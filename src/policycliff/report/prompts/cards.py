"""Competing completions side by side: which one the reward prefers, how the texts differ, and all scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, details, join, tag
from policycliff.report.format import Number, number, quantity
from policycliff.report.prompts.compared import Compared, compared, is_redacted, letter, reference_of
from policycliff.report.prompts.preference import digits_for, preference
from policycliff.report.prompts.texts import both_texts, marked_text, text_box
from policycliff.report.text import one_line, short

Completion = Mapping[str, Any]


def cards(competing: Sequence[Completion], *, truth: str | None, hidden: str | None) -> Html:
    """The completions of a prompt.

    Args:
        competing: As the audit lists them.
        truth: Name of the truth.
        hidden: A score that says nothing beside the others.
    """
    scores = [_scores(item, hidden) for item in competing]
    digits = {name: digits_for([row.get(name) for row in scores]) for name in differing_names(scores)}
    texts = compared(competing)
    shown = [
        _card(letter(place), completion, texts[place], [_score(*score, digits, truth) for score in row.items()])
        for place, (completion, row) in enumerate(zip(competing, scores, strict=True))
    ]
    return join(
        tag("p", preference(competing, truth), class_="preference"),
        _redacted() if is_redacted([item["text"] for item in competing]) else None,
        tag("div", shown, class_=f"completions of-{len(competing)}"),
        _word_by_word(competing, texts),
    )


def _scores(completion: Completion, hidden: str | None) -> dict[str, Number | None]:
    """All scores of a completion but the hidden one."""
    every = {"effective": completion["effective"], **completion["scores"]}
    return {name: value for name, value in every.items() if name != hidden}


def differing_names(rows: Sequence[Mapping[str, Number | None]]) -> set[str]:
    """Names of the scores that are not the same in all completions.

    >>> sorted(differing_names([{"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 1.0}]))
    ['a']
    """
    names = {name for row in rows for name in row}
    return {name for name in names if len({row.get(name) for row in rows}) > 1}


def _redacted() -> Html:
    return tag(
        "p", "The texts are redacted, so neither their differences nor where they part are shown.", class_="facts"
    )


def _card(name: str, completion: Completion, text: Compared, scores: Sequence[Html]) -> Html:
    best = completion["is_best"]
    facts = [
        None if completion["source"] is None else one_line(completion["source"]),
        None if completion["draws"] == 1 else f"drawn {completion['draws']} times",
        None if completion["behaviour"] is None else f"behaviour {short(completion['behaviour'], 60)}",
        f"row {completion['row']}",
    ]
    return tag(
        "div",
        tag("p", tag("strong", name), " best by the reward" if best else " not best", class_="which"),
        tag("p", " · ".join(fact for fact in facts if fact), class_="facts"),
        _text(name, completion["text"], text),
        None if text.note is None else tag("p", text.note, class_="facts differs"),
        tag("dl", scores),
        class_="completion best" if best else "completion",
    )


def _text(name: str, text: str | None, found: Compared) -> Html:
    if text is None:
        return tag("p", "no text column", class_="facts blank")
    if not text.strip():
        told = "empty text" if not text else f"{quantity('blank', len(text))}, nothing else"
        return tag("p", told, class_="facts blank")
    return text_box(f"Text of {name}", marked_text(found.runs))


def _score(name: str, value: Number | None, digits: Mapping[str, int], truth: str | None) -> Html:
    label = f"{one_line(name)} (truth)" if name == truth else one_line(name)
    shown = "missing" if value is None else number(value, digits=digits.get(name, 3))
    inner = tag("mark", shown) if name in digits else shown
    return tag("div", tag("dt", label), tag("dd", inner))


def _word_by_word(competing: Sequence[Completion], texts: Sequence[Compared]) -> Html | None:
    """The changes from the reference to each other text, to unfold."""
    reference = reference_of(competing)
    pairs = [(letter(place), item.blocks) for place, item in enumerate(texts) if item.blocks is not None]
    if reference is None or not pairs:
        return None
    first = letter(reference)
    changes = [
        tag(
            "div",
            tag("p", f"From {first} to {name}", class_="facts"),
            text_box(f"From {first} to {name}", both_texts(blocks)),
        )
        for name, blocks in pairs
    ]
    legend = tag(
        "p", tag("del", "Crossed out"), f": only in {first}. ", tag("ins", "Underlined"), ": only in the other."
    )
    return details(f"Word by word, from {first}", legend, tag("div", changes, class_="completions"))
