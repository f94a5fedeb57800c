"""How the figures were computed: definitions, settings and versions."""

import json
from collections.abc import Iterator

from policycliff.report.elements import Html, details, join, table, tag
from policycliff.report.format import count, number
from policycliff.report.sections.section import Section
from policycliff.report.summary import MISSING_RULES, Result, reward_formula
from policycliff.report.text import one_line
from policycliff.rollouts.settings import EFFECTIVE

_TIES = (
    "Best behaviours of a prompt, equal in reward. A column's scores are compared as they are, weighted sums and means "
    "as sums of the decimals that were given, not as rounded numbers."
)
_NORMALISED_TIES = "Normalised components are irrational: what rounding cannot tell apart counts as tied."
_RADIUS = (
    "Half of what the best behaviour is ahead of the best other one: the least error of the reward, up or down in "
    "every score, that can make the other one best. 0 for a tie."
)
_SOFT_POLICIES = (
    "Sampled completions, reweighted by exp(reward / beta) within their prompt: the KL-optimal policy towards the "
    "policy that sampled them."
)
_RANDOM = "resamples, samples, simulated flips and the order of equals: the same table and settings give the same page."


def methods_section(result: Result) -> Section:
    """What each kind of figure is, with the settings in use."""
    terms = [join(tag("dt", name), tag("dd", one_line(words))) for name, words in _methods(result)]
    body = join(tag("dl", terms, class_="names"), details("Settings and versions", _settings(result)))
    meaning = "What the words of this page mean here, and all that is needed to compute it again."
    return Section("methods", "Methods", meaning, "", body)


def _methods(result: Result) -> Iterator[tuple[str, str]]:
    settings, beta = result["settings"], result["beta"]
    yield "Behaviours", _behaviours(result)
    yield "Effective reward", _effective_reward(result)
    yield "Ties", f"{_TIES} {_NORMALISED_TIES}" if _normalised(result) else _TIES
    yield "Radius", _RADIUS
    yield "Noise of a score", _noise(result)
    yield "Soft policies", f"{_SOFT_POLICIES} beta is {number(beta['value'])} ({beta['origin']})."
    resamples = count(settings["bootstrap_resamples"])
    yield (
        "Intervals",
        "95 %, with prompts as independent draws: Wilson's for shares, a bootstrap over prompts for other figures, "
        f"with {resamples} resamples. One in twenty intervals misses its figure.",
    )
    yield "Random numbers", f"Seed {settings['seed']}, for {_RANDOM}"


def _behaviours(result: Result) -> str:
    columns = result["settings"]["columns"]
    if columns["behaviour"]["column"] is not None:
        what = f"the same value in the column {columns['behaviour']['column']}"
    elif columns["completion"]["column"] is not None:
        what = f"the same text in the column {columns['completion']['column']}"
    else:
        return "Each row of a prompt is a behaviour of its own: there is no text and no column that names behaviours."
    return f"Completions of one prompt with {what} are one behaviour; its reward is the mean over its completions."


def _effective_reward(result: Result) -> str:
    missing = MISSING_RULES[result["settings"]["missing"]]
    parts = "each component centred and scaled within its prompt" if _normalised(result) else "the scores as they are"
    formula = reward_formula(result)
    return f"{formula}, over {parts}; larger is better. Missing scores are {missing}."


def _normalised(result: Result) -> bool:
    return bool(result["settings"]["aggregation"] == "normalize_then_sum")


def _noise(result: Result) -> str:
    noises = [(name, reward["noise"]) for name, reward in result["rewards"].items() if name != EFFECTIVE]
    said = (
        f"{name}: {'unknown' if noise['sigma'] is None else number(noise['sigma']['value'])} ({noise['origin']})"
        for name, noise in noises
    )
    return f"Standard deviation of one score of the same completion. {'; '.join(said)}."


def _settings(result: Result) -> Html:
    settings = result["settings"]
    plain = {key: value for key, value in settings.items() if key not in ("columns", "versions")}
    versions = [[name, version] for name, version in settings["versions"].items()]
    return join(
        table(
            ["setting", "value"],
            [[name, json.dumps(value, ensure_ascii=False)] for name, value in plain.items()],
            label="Settings",
        ),
        table(
            ["package", "version"],
            [*versions, ["schema of the result", str(result["schema_version"])]],
            label="Versions",
        ),
    )
