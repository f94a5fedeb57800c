"""The texts that a tree is made of: the competing ones of a prompt, and those of the page's sample."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import Number
from policycliff.report.prompts.compared import letter, without_cut
from policycliff.report.prompts.tree import Text, words_with_blanks

Prompt = Mapping[str, Any]


def competing_texts(prompt: Prompt) -> list[Text]:
    """The competing completions of a listed prompt that have a text."""
    return [
        _text(item["text"], item["draws"], item["draws"], item["effective"], best=item["is_best"], name=letter(place))
        for place, item in enumerate(prompt["competing"])
        if item["text"] is not None
    ]


def sampled_texts(prompt: Prompt) -> list[Text]:
    """The behaviours of a sampled prompt that have a text.

    A behaviour of several completions has their mean reward, as in the audit.
    """
    rewards: list[list[tuple[int, Number]]] = [[] for _ in prompt["behaviours"]]
    draws = [0] * len(rewards)
    for item in prompt["completions"]:
        draws[item["behaviour"]] += item["draws"]
        if item["effective"] is not None:
            rewards[item["behaviour"]].append((item["draws"], item["effective"]))
    best = set(prompt["best"])
    return [
        _text(behaviour["text"], draws[place], *_mean(rewards[place]), best=place in best)
        for place, behaviour in enumerate(prompt["behaviours"])
        if behaviour["text"] is not None
    ]


def all_texts(prompt: Prompt, sampled: Prompt) -> list[Text]:
    """The texts of a listed prompt that was sampled, too: the competing ones whole and with their names."""
    whole = dict(zip(_rows(prompt["competing"]), competing_texts(prompt), strict=True))
    return [
        whole.get(row, text) for row, text in zip(_rows(sampled["behaviours"]), sampled_texts(sampled), strict=True)
    ]


def rows_of(prompt: Prompt) -> set[int]:
    """The rows by which a prompt is known, listed or sampled."""
    return {item["row"] for item in prompt.get("competing") or prompt["behaviours"]}


def _rows(items: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows of those that have a text."""
    return [item["row"] for item in items if item["text"] is not None]


def _mean(rewards: Sequence[tuple[int, Number]]) -> tuple[int, Number | None]:
    """How many completions have the reward, and its mean."""
    scored = sum(draws for draws, _ in rewards)
    if len(rewards) == 1:
        return scored, rewards[0][1]
    return scored, sum(draws * reward for draws, reward in rewards) / scored if scored else None


def _text(text: str, draws: int, scored: int, reward: Number | None, *, best: bool, name: str | None = None) -> Text:
    shown, cut = without_cut(text)
    words = words_with_blanks(shown)
    # The last word of a text that was cut may go on.
    return Text(words[:-1] if cut else words, draws, scored, reward, best=best, cut=bool(cut), name=name)
