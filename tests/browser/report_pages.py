"""The pages that the browser opens: audits, hostile texts, an answer, an MDP, the statements. Made when first asked."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from audit_examples import every_result, rollouts
from hostile import COLUMNS, hostile_table

from policycliff import MDP, analyze_mdp, estimators, theorems
from policycliff.mdp.sources.source import GridLayout, MDPSource
from policycliff.report.answers.page import render_answer
from policycliff.report.html import render_html
from policycliff.report.mdp.page import render_mdp
from policycliff.report.theorems.page import render_theorems
from policycliff.rollouts.audit import audit

LONG_WORD = "w" * 100_000
LONG_LINE = "a long line of words, " * 4_000
SETTERS = "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'><svg onload='window.hostile = 3'>"
STYLES = "<style>* { display: none }</style><p style='position: fixed; inset: 0'>over all</p>"
MORE_TEXTS = (LONG_WORD, LONG_LINE, SETTERS, STYLES)
"""Texts that are hostile to a browser alone, beside those of `hostile.py`."""


@functools.cache
def page_markup(name: str) -> str:
    """The whole page of this name, one of `PAGES`."""
    return PAGES[name]()


def _audit(name: str) -> Callable[[], str]:
    return lambda: render_html(every_result()[name])


def _hostile() -> str:
    """The table of hostile texts, and prompts tied between still worse ones."""
    columns = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": COLUMNS["source"]}
    table = hostile_table()
    more = pl.DataFrame(
        [
            {
                **table.row(draw, named=True),
                "prompt_id": f"more {place}",
                "prompt": f"{text} {place}",
                "completion": f"{MORE_TEXTS[draw]} {place}",
                COLUMNS["first"]: 2.0,
                COLUMNS["truth"]: float(draw),
            }
            for place, text in enumerate(MORE_TEXTS)
            for draw in range(len(MORE_TEXTS))
        ]
    )
    rewards = {COLUMNS["first"]: 1.0, COLUMNS["second"]: 0.0}
    done = audit(pl.concat([table, more]), rewards=rewards, truth=COLUMNS["truth"], look_at=20, **columns)
    return render_html(done.to_dict())


def _answer() -> str:
    found = estimators(rollouts(), rewards={"passes": 1.0, "style": 0.2}, group="prompt_id")
    return render_answer(found.to_dict())


def _mdp() -> str:
    """A grid of two rows and three columns, in which one goes right or down, with two rewards that disagree."""
    places = [(row, column) for row in range(2) for column in range(3)]
    transitions, rewards = np.zeros((6, 2, 6)), np.zeros((2, 6, 2))
    for state, (row, column) in enumerate(places):
        for action, (down, right) in enumerate([(0, 1), (1, 0)]):
            target = places.index((min(row + down, 1), min(column + right, 2)))
            transitions[state, action, target] = 1.0
            rewards[:, state, action] = (target == 5) != (state == 5), (target == 3) - 0.5 * (target == 4)
    weights = np.array([0.7, 0.3])
    mdp = MDP.from_arrays(
        transitions,
        np.tensordot(weights, rewards, 1),
        0.9,
        initial=np.eye(6)[0],
        state_names=[f"({row}, {column})" for row, column in places],
        action_names=["right", "down"],
    )
    layout = GridLayout(np.array(places), np.zeros(6, np.int64), ("",))
    components = rewards.reshape(2, 12)
    return render_mdp(
        analyze_mdp(MDPSource("grid", mdp, components, ("goal", "way"), weights, ("A note.",), layout)).to_dict()
    )


def _theorems() -> str:
    result: Any = theorems(only=["2.9", "4.7"], instances=4, with_figures=True)
    return render_theorems(result.to_dict())


PAGES: dict[str, Callable[[], str]] = {
    "audit": _audit("two rewards, truth, second scores"),
    "audit by steps": _audit("behaviours, steps, given noise"),
    "hostile audit": _hostile,
    "answer": _answer,
    "mdp": _mdp,
    "theorems": _theorems,
}
"""What makes each page, by its name."""
