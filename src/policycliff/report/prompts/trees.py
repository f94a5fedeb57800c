"""Prefix trees to open and close, of the prompts to look at and of the page's sample."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, join, tag
from policycliff.report.format import count, number, quantity
from policycliff.report.prompts.compared import is_redacted
from policycliff.report.prompts.tree import Text, mean_shared
from policycliff.report.prompts.tree_blocks import tree_block
from policycliff.report.prompts.tree_texts import Prompt, all_texts, competing_texts, rows_of, sampled_texts
from policycliff.report.text import one_line, short

Sample = Mapping[str, Any]

MOST_TREES = 20
_MOST_NAME = 60


def tree_of_prompt(prompt: Prompt, sample: Sample | None) -> Html | None:
    """Where the texts of a listed prompt part: all its texts where the prompt is in the sample as well."""
    sampled = next((item for item in _prompts(sample) if rows_of(item) & rows_of(prompt)), None)
    if is_redacted([item["text"] for item in prompt["competing"]]):
        return None
    texts = competing_texts(prompt) if sampled is None else all_texts(prompt, sampled)
    if len({text.words for text in texts}) < 2:
        return None
    if mean_shared(texts) == 0:
        return tag("p", f"No two of the {count(len(texts))} texts begin with the same word.", class_="facts")
    which = "competing texts" if sampled is None else "texts sampled"
    return tree_block(f"Where the {count(len(texts))} {which} part", texts)


def trees_of_sample(sample: Sample | None, listed: Sequence[Prompt]) -> Html | None:
    """The trees of the sampled prompts whose texts go on together longest; those that are listed have theirs."""
    rows = {row for prompt in listed for row in rows_of(prompt)}
    others = [prompt for prompt in _prompts(sample) if not rows_of(prompt) & rows]
    heading = tag("h3", "Trees of sampled prompts")
    if any(is_redacted([item["text"] for item in prompt["behaviours"]]) for prompt in others):
        return join(heading, tag("p", "The texts are redacted, so where they part is not shown."))
    made = [(mean_shared(texts), prompt, texts) for prompt in others if (texts := sampled_texts(prompt))]
    sharing = sorted((item for item in made if item[0] > 0), key=lambda item: -item[0])
    if not sharing:
        return None
    trees = [tree_block(_title(*item), item[2]) for item in sharing[:MOST_TREES]]
    return join(heading, tag("p", _lead(len(others), len(sharing), len(trees))), trees)


def _prompts(sample: Sample | None) -> Sequence[Prompt]:
    prompts: Sequence[Prompt] = () if sample is None else sample["prompts"]
    return prompts


def _lead(others: int, sharing: int, shown: int) -> str:
    left_out = f" {count(sharing - shown)} more share less and are not shown." if sharing > shown else ""
    apart = f" In {count(others - sharing)} no two texts begin with the same word." if others > sharing else ""
    return (
        f"Of {quantity('sampled prompt', others)} not listed above, the {count(shown)} whose texts go on together "
        f"longest.{left_out}{apart} A line is a stretch of text that all completions below it share, up to where they "
        "part; rewards are effective rewards. Long texts of the sample are cut, and count as far as they are known."
    )


def _title(shared: float, prompt: Prompt, texts: Sequence[Text]) -> str:
    name = short(prompt["prompt"], _MOST_NAME) or "(no name)"
    step = "" if prompt["step"] is None else f", step {one_line(prompt['step'], _MOST_NAME)}"
    return f"{name}{step}: {quantity('text', len(texts))}, {number(shared)} words shared on average"
