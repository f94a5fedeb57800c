"""Prompts to look at first: their competing completions side by side, how they differ, and where they part."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.elements import Html, details, join, paragraph, tag
from policycliff.report.format import count, number, quantity
from policycliff.report.prompts.cards import cards
from policycliff.report.prompts.texts import text_box
from policycliff.report.prompts.trees import tree_of_prompt, trees_of_sample
from policycliff.report.sections.section import Section
from policycliff.report.summary import Result, shown_rewards
from policycliff.report.text import one_line, short
from policycliff.rollouts.settings import EFFECTIVE, MOST_EMBEDDED

_MEANING = (
    "Boundary prompts: consequential ties, answers that the reward ranks against the truth, and close calls take "
    "turns. Read the texts and judge whether the reward should tell them apart. Marked scores differ; underlined words "
    "are in that text only."
)
_MEANING_OF_TREES = "Where in their texts the completions of a prompt part."


def prompts_section(result: Result) -> Section | None:
    """One block a prompt, and the trees of sampled ones; None where there is neither."""
    prompts = result["prompts_to_look_at"]
    trees = trees_of_sample(result.get("sample"), prompts)
    if not prompts:
        return None if trees is None else Section("prompts", "Prompts of the sample", _MEANING_OF_TREES, "", trees)
    blocks = [
        tag(
            "article",
            tag("h3", f"{place}. ", short(prompt["prompt"], 90)),
            _prompt_text(prompt["prompt_text"]),
            what_competes(prompt, result),
            class_="prompt",
        )
        for place, prompt in enumerate(prompts[:MOST_EMBEDDED], start=1)
    ]
    more = len(prompts) - len(blocks)
    left = paragraph(f"{quantity('more prompt', more)} to look at: in the JSON of the audit.") if more else None
    return Section("prompts", "Prompts to look at first", _MEANING, "Prop 2.9, Result 1", join(blocks, left, trees))


def what_competes(prompt: Mapping[str, Any], result: Result) -> Html:
    """Why a prompt is looked at, its competing completions, and where they part."""
    hidden = None if EFFECTIVE in shown_rewards(result) else EFFECTIVE
    truth = result["settings"]["columns"]["truth"]["column"]
    return join(
        paragraph(_why(prompt)),
        cards(prompt["competing"], truth=truth, hidden=hidden),
        tree_of_prompt(prompt, result.get("sample")),
    )


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
    parts += _not_shown(prompt)
    return "; ".join(parts) + "."


def _not_shown(prompt: Mapping[str, Any]) -> list[str]:
    """How many behaviours have no place beside the competing ones."""
    best = sum(completion["is_best"] for completion in prompt["competing"])
    tied = prompt["tied_size"] - best if prompt["tied_size"] > 1 else 0
    others = prompt["behaviours"] - len(prompt["competing"]) - tied
    kinds = [("tied behaviour", tied), ("other behaviour", others)]
    told = [quantity(kind, how_many) for kind, how_many in kinds if how_many > 0]
    return [f"not shown: {' and '.join(told)}"] if told else []


def _prompt_text(text: str | None) -> Html | None:
    return details(f"Prompt: {one_line(text, 100)}", text_box("Prompt", text)) if text else None
