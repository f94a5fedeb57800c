"""How the effective reward's figures move over training."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.cells import mean_cell, share_cell
from policycliff.report.elements import Html, details, join, table
from policycliff.report.format import count
from policycliff.report.plots.steps import step_lines
from policycliff.report.sections.section import Section, beside, plot_box
from policycliff.report.summary import Result
from policycliff.report.text import one_line

_SHARES = {
    "tied_share": "tied",
    "consequential_share": "consequentially tied",
    "zero_spread_share": "zero spread",
    "noise_spread_share": "spread within noise",
    "best_changed_share": "best set changed since the last visit",
}
_REWARDS = {"reward_mean": "mean reward", "best_reward_mean": "best reward"}
_TRUTHS = {"truth_mean": "mean truth", "truth_of_best_mean": "truth of the best by reward"}
_GAPS = {"gap_mean": "gap to the second best", "spread_mean": "standard deviation within a prompt"}
_GAIN = {"gain_mean": "1 / (standard deviation + epsilon)"}


def steps_section(result: Result) -> Section | None:
    """Lines over the training steps, and the table of their figures; None without steps."""
    rows = result["steps"]
    if rows is None:
        return None
    drawn = {
        "steps-shares": ("Shares of the prompts", step_lines(rows, _SHARES, "prompts", share=True)),
        "steps-rewards": ("Reward", step_lines(rows, _REWARDS, "reward")),
        "steps-truths": ("What is not trained on", step_lines(rows, _TRUTHS, "truth")),
        "steps-gaps": ("Gap and spread", step_lines(rows, _GAPS, "reward")),
        "steps-gain": ("Gain of group normalisation", step_lines(rows, _GAIN, "advantage per unit of reward")),
    }
    boxes = {
        name: plot_box(name, title, lines, label=f"{title} over training steps")
        for name, (title, lines) in drawn.items()
    }
    body = join(
        boxes.pop("steps-shares"),
        beside(*(box for box in boxes.values() if box is not None)),
        details(f"The figures of {count(len(rows))} steps or runs of steps", _table(rows)),
    )
    meaning = (
        "The effective reward at the prompts of each training step. Ties and prompts without spread take signal away; "
        "a gain that grows amplifies what is left of it, noise included."
    )
    plots = {name: lines for name, (_, lines) in drawn.items() if lines is not None}
    return Section("steps", "Over training", meaning, "", body, plots)


def _table(rows: list[Mapping[str, Any]]) -> Html:
    shares = [key for key in _SHARES if key in rows[0]]
    means = [key for key in (_REWARDS | _TRUTHS | _GAPS | _GAIN) if key in rows[0]]
    names = _SHARES | _REWARDS | _TRUTHS | _GAPS | _GAIN
    cells = [
        [
            _steps(row),
            count(row["prompts"]),
            *(share_cell(row[key]) for key in shares),
            *(mean_cell(row[key]) for key in means),
        ]
        for row in rows
    ]
    return table(["steps", "prompts", *(names[key] for key in (*shares, *means))], cells, label="Figures by step")


def _steps(row: Mapping[str, Any]) -> str:
    first, last = ("none" if row[end] is None else one_line(str(row[end])) for end in ("first", "last"))
    return first if first == last else f"{first} to {last}"
