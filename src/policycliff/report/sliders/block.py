"""The sample of prompts as the page's scripts read it: numbers, and short names for prompts and completions."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.format import count, quantity
from policycliff.report.redact import MARK
from policycliff.report.summary import Result
from policycliff.report.text import one_line
from policycliff.rollouts.settings import EFFECTIVE

EFFECTIVE_PLACE = -1
_NAME = 120
_LEAST_NAME, _MOST_NAME = 24, 160
_ALL_NAMES = 150_000


def sample_block(result: Result) -> dict[str, Any] | None:
    """The sample, or None where the result has none."""
    sample = result.get("sample")
    if not sample:
        return None
    weights = result["settings"]["rewards"]
    truth = result["settings"]["columns"]["truth"]["column"]
    columns = sample["columns"]
    names = sum(len(prompt["behaviours"]) for prompt in sample["prompts"])
    limit = min(_MOST_NAME, max(_LEAST_NAME, _ALL_NAMES // names))
    return {
        "columns": [one_line(name) for name in columns],
        "effective": EFFECTIVE,
        "signs": sample["signs"],
        "weights": [weights[name] for name in columns[: len(weights)]],
        "truth": columns.index(truth) if truth in columns else None,
        "normalised": result["settings"]["aggregation"] == "normalize_then_sum",
        "beta": result["beta"]["value"],
        "pairs": [[_place(columns, pair[end]) for end in ("first", "second")] for pair in shown_pairs(result)],
        "curves": {str(columns.index(weight["name"])): _curve(weight) for weight in result["weights"]},
        "prompts": [_prompt(prompt, limit) for prompt in sample["prompts"]],
    }


def shown_pairs(result: Result) -> list[Mapping[str, Any]]:
    """Pairs of rewards that can be compared, those whose best behaviours differ most first."""
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    return sorted(pairs, key=lambda pair: -pair["best_disjoint_share"]["value"])


def which_sample(result: Result) -> str:
    """What the sliders recompute, in a sentence."""
    sample, seed = result["sample"], result["settings"]["seed"]
    drawn, whole = len(sample["prompts"]), sample["prompts_of"]
    left = f"; {quantity('drawn prompt', sample['left_out'])} left out as too large" if sample["left_out"] else ""
    if drawn == whole:
        return f"Recomputed in this page for all {quantity('prompt', whole)}."
    of = f"{quantity('prompt', drawn)} drawn at random (seed {seed}) from {count(whole)}"
    return f"Recomputed in this page for {of}{left}."


def prompt_name(prompt: Mapping[str, Any]) -> str:
    """A prompt on one line: its text, else its identifier, else its first row."""
    names = (prompt["prompt_text"], prompt["prompt"])
    known = next((name for name in names if name and name != MARK), None)
    return one_line(known, _NAME) if known else f"rows from {min(item['row'] for item in prompt['behaviours'])}"


def _place(columns: list[str], name: str) -> int:
    return EFFECTIVE_PLACE if name == EFFECTIVE else columns.index(name)


def _curve(weight: Mapping[str, Any]) -> dict[str, Any]:
    curve = weight["curve"]
    return {"factor": curve["factor"], "share": curve["changed_share"], "low": curve["low"], "high": curve["high"]}


def _prompt(prompt: Mapping[str, Any], limit: int) -> dict[str, Any]:
    return {
        "label": prompt_name(prompt),
        "behaviours": [_behaviour_name(behaviour, limit) for behaviour in prompt["behaviours"]],
        "completions": [_completion(completion) for completion in prompt["completions"]],
    }


def _behaviour_name(behaviour: Mapping[str, Any], limit: int) -> str:
    for text in (behaviour["behaviour"], behaviour["text"]):
        if text and text != MARK:
            return one_line(text, limit)
    return f"row {behaviour['row']}"


def _completion(completion: Mapping[str, Any]) -> list[Any]:
    """Its numbers in the order in which the scripts read them; the terms only where they are not the scores."""
    terms, scores = completion["terms"], completion["scores"]
    own = None if terms == scores[: len(terms)] else terms
    return [completion["behaviour"], completion["draws"], completion["effective"], scores, own]
