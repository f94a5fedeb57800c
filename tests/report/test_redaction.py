"""Whatever the data says stays out of a redacted audit, in every output; what it counts stays in."""

import copy
import io
import json
from typing import Any

import polars as pl
import pytest
from audit_examples import every_result
from rich.console import Console

from policycliff.cli.outputs import json_text
from policycliff.report.html import render_html
from policycliff.report.markdown.audit import markdown_audit
from policycliff.report.redact import MARK, redacted
from policycliff.report.schema.check import first_fault
from policycliff.report.terminal import print_audit
from policycliff.rollouts.audit import audit

KINDS = ("group", "prompt", "completion", "behaviour", "source", "step", "expression", "file")


def planted() -> pl.DataFrame:
    """Rollouts whose every text holds a word of its own; ties grow over the steps, so that a finding names steps."""
    return pl.DataFrame(
        [
            {
                "prompt_id": f"Zqzqgroup{prompt}",
                "prompt": f"Zqzqprompt{prompt} of many?",
                "completion": f"Zqzqcompletion{prompt} {draw}",
                "answer": f"Zqzqbehaviour{draw}",
                "model": f"Zqzqsource{draw % 2}",
                "step": f"Zqzqstep{prompt // 20}",
                "passes": float(draw < 2) if prompt > 60 else float(draw),
                "correct": float(draw == 0),
            }
            for prompt in range(100)
            for draw in range(4)
        ]
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("t") / "Zqzqfile.parquet"
    planted().write_parquet(path)
    found = audit(
        path,
        rewards={"passes": 1.0, "short": 0.1},
        derive={"short": "CAST(completion LIKE '%Zqzqexpression%' AS DOUBLE) + passes * 0"},
        truth="correct",
        behaviour="answer",
        source="model",
        group="prompt_id",
        step="step",
    ).to_dict()
    found["counts"]["skipped"] = [
        {"reason": "trace of an agent that is not trained (Zqzqagent)", "count": 3, "unit": "rows"},
        {"reason": "not drawn into the sample", "count": 5, "unit": "prompts"},
    ]
    found["new"] = {"Zqzqkey": "Zqzqvalue", "number": 1}
    return found


def outputs(result: dict[str, Any]) -> dict[str, str]:
    stream = io.StringIO()
    print_audit(result, Console(file=stream, width=200))
    return {
        "html": render_html(result),
        "markdown": markdown_audit(result),
        "json": json_text(result),
        "terminal": stream.getvalue(),
    }


def test_the_words_are_there_without_redaction(result):
    shown = outputs(result)
    for kind in (*KINDS, "agent", "key", "value"):
        assert f"Zqzq{kind}" in shown["json"], kind
    for kind in KINDS:
        assert f"Zqzq{kind}" in shown["html"], kind
    assert any("Zqzqstep" in finding["text"] for finding in result["verdict"])
    assert "Zqzqfile" in shown["markdown"]
    assert "Zqzqgroup" in shown["terminal"]


def test_no_word_of_the_data_is_left_in_any_output(result):
    for name, text in outputs(redacted(result)).items():
        assert "Zqzq" not in text, name
        assert MARK in text.replace("&#91;", "[").replace("&#93;", "]"), name


def numbers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [] if isinstance(value, str) else [value]


@pytest.mark.parametrize("name", every_result())
def test_every_number_every_key_and_every_column_stays(name):
    before = every_result()[name]
    after = redacted(before)
    assert numbers(after) == numbers(before)
    assert first_fault(after, "audit") is None
    for kept in ("rewards", "columns"):
        assert set(after["settings"][kept]) == set(before["settings"][kept])
    assert [finding["text"] for finding in after["verdict"]] == [finding["text"] for finding in before["verdict"]]
    assert redacted(after) == after


def test_every_text_of_the_sample_goes(result):
    before, after = result["sample"], redacted(result)["sample"]
    for kind in ("prompt", "completion", "behaviour", "source", "step", "group"):
        assert f"Zqzq{kind}" in json.dumps(before), kind
    assert "Zqzq" not in json.dumps(after)
    assert {shown["text"] for item in after["prompts"] for shown in item["behaviours"]} == {MARK}
    assert after["columns"] == before["columns"]


def test_it_changes_a_copy(result):
    before = copy.deepcopy(result)
    redacted(result)
    assert result == before


def test_steps_that_are_numbers_stay(result):
    numbered = json.loads(json.dumps(result).replace("Zqzqstep", ""))
    after = redacted(numbered)
    assert [row["first"] for row in after["steps"]] == [row["first"] for row in numbered["steps"]]
    assert [item["step"] for item in after["prompts_to_look_at"]] == [
        item["step"] for item in numbered["prompts_to_look_at"]
    ]


def test_only_known_reasons_stay(result):
    assert [item["reason"] for item in redacted(result)["counts"]["skipped"]] == [MARK, "not drawn into the sample"]


def test_a_finding_written_by_hand_is_worded_again_or_left_out(result):
    changed = copy.deepcopy(result)
    changed["verdict"][0]["text"] = "Zqzq by hand"
    changed["verdict"].append({"statement": "Zqzq", "severity": "note", "figure": {"key": "x"}, "text": "Zqzq new"})
    texts = [finding["text"] for finding in redacted(changed)["verdict"]]
    assert texts[0] == redacted(result)["verdict"][0]["text"]
    assert texts[-1] == MARK
