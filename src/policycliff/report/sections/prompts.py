"""Prompts to look at first, their competing completions side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, details, join, paragraph, tag
from policycliff.report.format import Number, count, number, quantity
from policycliff.report.sections.section import Section
from policycliff.report.summary import Result, shown_rewards
from policycliff.report.text import one_line, short
from policycliff.rollouts.settings import EFFECTIVE

Completion = Mapping[str, Any]

_MOST_DIGITS = 12


def prompts_section(result: Result) -> Section | None:
    """One block a prompt; None where there is nothing to look at."""
    prompts = result["prompts_to_look_at"]
    if not prompts:
        return None
    hidden = None if EFFECTIVE in shown_rewards(result) else EFFECTIVE
    truth = result["settings"]["columns"]["truth"]["column"]
    body = join(
        _prompt(prompt, position, truth=truth, hidden=hidden) for position, prompt in enumerate(prompts, start=1)
    )
    meaning = (
        "Boundary prompts: consequential ties, answers that the reward ranks against the truth, and close calls take "
        "turns. Read the texts and judge whether the reward should tell them apart. Marked scores differ."
    )
    return Section("prompts", "Prompts to look at first", meaning, "Prop 2.9, Result 1", body)


def _prompt(prompt: Mapping[str, Any], position: int, *, truth: str | None, hidden: str | None) -> Html:
    completions = [_without(completion, hidden) for completion in prompt["competing"]]
    differing = differing_scores(completions)
    digits = {name: _digits([completion["scores"].get(name) for completion in completions]) for name in differing}
    return tag(
        "article",
        tag("h3", f"{position}. ", short(prompt["prompt"], 90)),
        paragraph(_why(prompt)),
        _prompt_text(prompt["prompt_text"]),
        tag(
            "div",
            [_completion(item, digits, truth) for item in completions],
            class_=f"completions of-{len(completions)}",
        ),
        class_="prompt",
    )


def _without(completion: Completion, hidden: str | None) -> Completion:
    """The completion with all its scores in one mapping, but the hidden one."""
    scores = {"effective": completion["effective"], **completion["scores"]}
    return {**completion, "scores": {name: value for name, value in scores.items() if name != hidden}}


def differing_scores(completions: Sequence[Completion]) -> set[str]:
    """Names of the scores that are not the same in all completions.

    >>> sorted(differing_scores([{"scores": {"a": 1.0, "b": 1.0}}, {"scores": {"a": 0.0, "b": 1.0}}]))
    ['a']
    """
    rows = [completion["scores"] for completion in completions]
    names = {name for row in rows for name in row}
    return {name for name in names if len({row.get(name) for row in rows}) > 1}


def _digits(values: Sequence[Number | None]) -> int:
    """Least significant digits, 3 or more, that tell different scores apart."""
    different = {value for value in values if value is not None}
    for digits in range(3, _MOST_DIGITS):
        if len({number(value, digits=digits) for value in different}) == len(different):
            return digits
    return _MOST_DIGITS


def _why(prompt: Mapping[str, Any]) -> str:
    parts = [f"{prompt['reason']} (one of {count(prompt['same_reason'])})"]
    if prompt["tied_size"] > 1:
        parts.append(f"{prompt['tied_size']} of {prompt['behaviours']} behaviours share the best reward")
    else:
        radius = "" if prompt["radius"] is None else f"radius {number(prompt['radius'])}, "
        parts.append(f"{radius}{quantity('behaviour', prompt['behaviours'])}")
    parts.append(quantity("completion", prompt["completions"]))
    if prompt["left_out"]:
        parts.append(f"{quantity('completion', prompt['left_out'])} without the reward left out")
    if prompt["differs_in"]:
        parts.append("the tied ones differ in " + ", ".join(one_line(name) for name in prompt["differs_in"]))
    if prompt["step"] is not None:
        parts.append(f"step {one_line(str(prompt['step']))}")
    hidden = prompt["tied_size"] - sum(completion["is_best"] for completion in prompt["competing"])
    if prompt["tied_size"] > 1 and hidden > 0:
        parts.append(f"{quantity('tied behaviour', hidden)} not shown")
    return "; ".join(parts) + "."


def _prompt_text(text: str | None) -> Html | None:
    if not text:
        return None
    return details(f"Prompt: {one_line(text, 100)}", tag("pre", text, class_="text", tabindex="0"))


def _completion(completion: Completion, digits: Mapping[str, int], truth: str | None) -> Html:
    facts = [
        "best by the reward" if completion["is_best"] else "not best",
        None if completion["source"] is None else one_line(completion["source"]),
        None if completion["draws"] == 1 else f"drawn {completion['draws']} times",
        None if completion["behaviour"] is None else f"behaviour {short(completion['behaviour'], 60)}",
        f"row {completion['row']}",
    ]
    scores = [_score(name, value, digits, truth) for name, value in completion["scores"].items()]
    return tag(
        "div",
        tag("p", " · ".join(fact for fact in facts if fact), class_="facts"),
        _text(completion["text"]),
        tag("dl", scores),
        class_="completion best" if completion["is_best"] else "completion",
    )


def _text(text: str | None) -> Html:
    if text is None:
        return tag("p", "no text column", class_="facts")
    if not text.strip():
        return tag(
            "p", "empty text" if not text else f"{quantity('blank', len(text))}, nothing else", class_="facts blank"
        )
    return tag("pre", text, class_="text", tabindex="0")


def _score(name: str, value: Number | None, digits: Mapping[str, int], truth: str | None) -> Html:
    label = f"{one_line(name)} (truth)" if name == truth else one_line(name)
    shown = "missing" if value is None else number(value, digits=digits.get(name, 3))
    inner = tag("mark", shown) if name in digits else shown
    return tag("div", tag("dt", label), tag("dd", inner))
