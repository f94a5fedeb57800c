"""Answers in the terminal and on the page, with hostile text in every place."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from policycliff.report.answers.page import render_answer
from policycliff.report.answers.terminal import print_answer
from policycliff.rollouts.questions.answer import Answer, answer, answer_table, column, finding, line_plot

HOSTILE = "<script>alert(1)</script>\x1b[31m[bold]\u202e"


def example() -> Answer:
    columns = [
        column("name", f"who {HOSTILE}", "name"),
        column("size", "size", "number"),
        column("part", "share", "share"),
    ]
    figure = {"value": 0.5, "low": 0.25, "high": 0.75}
    rows = [
        {"name": HOSTILE, "size": np.float64(1.5), "part": figure},
        {"name": "other", "size": float("nan"), "part": {"value": 1.0, "low": 0.5, "high": None}},
        {"name": "third", "size": np.int64(3), "part": None},
    ]
    drawn = line_plot("size", ["part"], x_title="size", y_title="share")
    tables = [answer_table("sizes", f"Sizes {HOSTILE}", columns, rows, meaning=f"What {HOSTILE}", plot=drawn)]
    findings = [finding("note", "small"), finding("critical", f"large {HOSTILE}", statement="Prop 2.9")]
    return answer(
        "example",
        f"Example {HOSTILE}",
        tables=tables,
        findings=findings,
        figures={"array": np.arange(2), "infinite": np.inf},
        settings={"table": HOSTILE, "skipped": [{"reason": HOSTILE, "count": 2, "unit": "rows"}]},
        limits=[f"Nothing {HOSTILE}"],
    )


def test_it_is_json_with_the_most_severe_finding_first():
    result = json.loads(json.dumps(example().to_dict(), allow_nan=False))
    assert [item["severity"] for item in result["findings"]] == ["critical", "note"]
    assert result["figures"] == {"array": [0, 1], "infinite": None}
    assert [row["size"] for row in result["tables"][0]["rows"]] == [1.5, None, 3]
    assert "critical" in repr(example())


def test_the_terminal_shows_every_value_and_no_control_character():
    text = io.StringIO()
    print_answer(example().to_dict(), Console(file=text, width=200, force_terminal=False))
    shown = text.getvalue()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    for expected in ("50 % (25 to 75)", "unknown", "1.5", "2 rows", "[bold]", "Prop 2.9"):
        assert expected in shown


def test_the_page_holds_text_as_text():
    page = render_answer(example().to_dict())
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert '"x":[1.5]' in page  # rows without an abscissa or a value are not drawn
    assert page == render_answer(json.loads(json.dumps(example().to_dict())))


@pytest.mark.parametrize("rows", [0, 1, 250])
def test_tables_of_any_length(rows):
    columns = [column("name", "name", "name"), column("count", "count", "count")]
    made = [{"name": str(position), "count": position} for position in range(rows)]
    table = answer_table(
        "t", "T", columns, made, meaning="m", plot=line_plot("count", ["count"], x_title="", y_title="")
    )
    result = answer("q", "t", tables=[table], findings=[], figures={}, settings={}).to_dict()
    page = render_answer(result)
    assert ("And 50 more rows" in page) == (rows == 250)
    print_answer(result, Console(file=io.StringIO()))
