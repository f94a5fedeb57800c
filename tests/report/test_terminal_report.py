"""The terminal report: the figures at any width, no style and no escape sequence from the data."""

import io
import re

import pytest
from audit_examples import every_result
from hostile import COLUMNS, hostile_table
from rich.console import Console

from policycliff.report.format import percent
from policycliff.report.terminal import print_audit
from policycliff.rollouts.audit import audit

RESULTS = every_result()
FULL = RESULTS["two rewards, truth, second scores"]


def printed(result, width, *, colour=False):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None)
    print_audit(result, console)
    return stream.getvalue()


@pytest.fixture(scope="module")
def hostile_result():
    options = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": COLUMNS["source"]}
    rewards = {COLUMNS["first"]: 1.0, COLUMNS["second"]: 0.0}
    return audit(hostile_table(), rewards=rewards, truth=COLUMNS["truth"], **options).to_dict()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("name", RESULTS)
def test_no_line_is_wider_than_the_terminal(name, width):
    assert max(len(line) for line in printed(RESULTS[name], width).splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", RESULTS)
def test_about_two_screens(name, width):
    assert len(printed(RESULTS[name], width).splitlines()) < 130


@pytest.mark.parametrize("width", [80, 120])
def test_the_figures_are_there(width):
    text = printed(FULL, width)
    main = FULL["rewards"]["effective"]
    for key in ("tied_share", "consequential_share", "zero_spread_share", "flip_probability_mean"):
        assert percent(main[key]["value"]) in text
    assert f"{main['gain']['p50']:.3g}" in text
    assert "left to" in text


@pytest.mark.parametrize("width", [80, 120])
def test_every_finding_is_there_with_severity_and_statement(width):
    text = " ".join(printed(FULL, width).split())
    for finding in FULL["verdict"]:
        words = " ".join(finding["text"].split()[:4])
        assert words in text
        assert finding["severity"] in text
        assert f"[{finding['statement']}]" in text


def test_guesses_are_said():
    frame = hostile_table().rename({COLUMNS["first"]: "reward"}).select("prompt", "completion", "reward")
    text = printed(audit(frame).to_dict(), 120)
    assert "prompt = prompt (guessed)" in text
    assert "reward = reward (guessed)" in text


def test_what_was_skipped_is_said():
    text = printed(FULL, 200)
    assert "1 missing scores" in text


@pytest.mark.parametrize("colour", [True, False])
def test_no_escape_sequence_from_the_data(hostile_result, colour):
    text = printed(hostile_result, 120, colour=colour)
    ours = re.sub(r"\x1b\[[0-9;]*m", "", text) if colour else text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", ours)
    assert "\x1b]" not in text


def test_markup_in_the_data_is_printed_as_it_is(hostile_result):
    text = printed(hostile_result, 200, colour=True)
    assert "[red]x[/red]" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b[31mx" not in text


def test_without_colour_severities_are_words():
    text = printed(FULL, 80)
    assert all(finding["severity"] in text for finding in FULL["verdict"])


def test_rewards_that_do_not_fit_are_named():
    result = {**FULL, "rewards": dict(FULL["rewards"])}
    for i in range(10):
        result["rewards"][f"another_reward_{i}"] = FULL["rewards"]["style"]
    text = " ".join(printed(result, 80).split())
    assert "not shown here" in text
    assert "another_reward_9" in text


def test_a_single_reward_has_one_column():
    text = printed(RESULTS["one reward, many ties"], 80)
    assert "(sum)" not in text


def test_unknown_is_said():
    text = printed(RESULTS["normalised first, no noise asked"], 80)
    assert "not asked" in text
