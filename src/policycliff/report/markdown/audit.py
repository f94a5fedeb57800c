"""An audit as a comment for a pull request: verdict, figures by reward, what was read, settings."""

import json
from collections.abc import Iterator

from policycliff.report.format import quantity
from policycliff.report.markdown.blocks import Block, assembled, bullets, findings, table, unfolded
from policycliff.report.markdown.escape import code, escaped
from policycliff.report.reward_rows import REWARD_ROWS, Figures, Parts
from policycliff.report.summary import (
    Result,
    counts_line,
    left_out,
    recognised_columns,
    reward_formula,
    shown_rewards,
    watched,
)
from policycliff.report.summary import title as title_of
from policycliff.rollouts.settings import EFFECTIVE

_MOST_REWARDS, _LONGEST_NAME, _LONGEST_VALUE = 8, 40, 200
_SETTINGS = (
    "missing", "noise", "aggregation", "epsilon", "beta", "reward_error", "max_shift", "max_reward", "main_reward",
    "derive", "sample", "seed", "format", "executor",
)  # fmt: skip


def markdown_audit(result: Result) -> str:
    """The comment.

    Args:
        result: What `Audit.to_dict` gives, or the same read back from JSON.
    """
    read = list(_read(result))
    return assembled(
        [
            Block(f"### Reward audit of {code(title_of(result), 2 * _LONGEST_NAME)}"),
            Block(_trained_on(result)),
            findings(result["verdict"]),
            _figures(result),
            bullets([escaped(counts_line(result)), *read[:5]], heading="What was read"),
            *([unfolded(f"{quantity('more note', len(read) - 5)} on what was read", read[5:])] if read[5:] else []),
            unfolded("Columns, settings and versions", _settings(result)),
        ]
    )


def _trained_on(result: Result) -> str:
    beside = ", ".join(code(name, _LONGEST_NAME) for name in watched(result)[:_MOST_REWARDS])
    compared = f"; only compared: {beside}" if beside else ""
    return f"Trained on {code(reward_formula(result), _LONGEST_VALUE)}{compared}. 95 % intervals in brackets."


def _figures(result: Result) -> Block:
    """A row a figure, a column a reward."""
    rewards = shown_rewards(result)
    shown = dict(list(rewards.items())[:_MOST_REWARDS])
    rows = []
    for label, cell in REWARD_ROWS:
        cells = [cell(figures) for figures in shown.values()]
        if any(cells):
            rows.append([label.strip() if label == label.strip() else f"&emsp;{label.strip()}", *map(_cell, cells)])
    if len(rewards) > len(shown):
        more = [f"and {quantity('more reward', len(rewards) - len(shown))}, in the report", *[""] * len(shown)]
        rows.append(more)
    head = ["", *(_heading(name, figures) for name, figures in shown.items())]
    return table(head, rows, words=[True, *[False] * len(shown)])


def _heading(name: str, figures: Figures) -> str:
    whole = name == EFFECTIVE and figures["weight"] is None
    return f"{code(name, _LONGEST_NAME)} (sum)" if whole else code(name, _LONGEST_NAME)


def _cell(parts: Parts | None) -> str:
    if parts is None:
        return "unknown"
    value, sure = parts
    return escaped(f"{value} ({sure})" if sure else value, 2 * _LONGEST_NAME)


def _read(result: Result) -> Iterator[str]:
    for line in left_out(result):
        yield f"left out or odd: {escaped(line, 2 * _LONGEST_VALUE)}"


def _settings(result: Result) -> Iterator[str]:
    for role, column, origin in recognised_columns(result):
        yield f"{escaped(role, _LONGEST_NAME)}: {code(column, _LONGEST_NAME)} ({escaped(origin, _LONGEST_NAME)})"
    settings = result["settings"]
    for name in _SETTINGS:
        if settings[name] not in (None, {}, ""):
            value = settings[name]
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{name}: {code(shown, _LONGEST_VALUE)}"
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    yield escaped(versions, _LONGEST_VALUE)
