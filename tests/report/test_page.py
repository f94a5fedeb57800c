"""The page: a pure function of the result, whole in every corner case, with every figure and its interval."""

import json
import re
import time
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest
from audit_examples import every_result, rollouts
from page_reader import Page

from policycliff.report.format import mean_text, percent, share_text
from policycliff.report.html import render_html
from policycliff.report.statements import all_named, anchor, named
from policycliff.report.summary import shown_rewards
from policycliff.rollouts.audit import audit

RESULTS = every_result()
FULL = RESULTS["two rewards, truth, second scores"]
ALL_SECTIONS = [
    "verdict", "ties", "cliff", "pairs", "temperature", "weights", "price", "steps", "normalisation", "advice",
    "prompts", "limits", "methods", "in-words",
]  # fmt: skip


def sections(page: Page) -> list[str]:
    return [attributes["id"] for name, attributes in page.elements if name == "section"]


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return {name: Page(render_html(result)) for name, result in RESULTS.items()}


def test_all_sections_stand_in_order(pages):
    assert sections(pages["two rewards, truth, second scores"]) == ALL_SECTIONS


@pytest.mark.parametrize("name", RESULTS)
def test_sections_keep_their_order_where_some_do_not_apply(pages, name):
    found = sections(pages[name])
    assert found == [key for key in ALL_SECTIONS if key in found]
    assert {"verdict", "ties", "cliff", "normalisation", "advice", "limits"} <= set(found)


@pytest.mark.parametrize("name", RESULTS)
def test_links_lead_to_all_sections_and_to_the_words_of_all_statements(pages, name):
    links = {attributes["href"] for tag, attributes in pages[name].elements if tag == "a"}
    words = {attributes["id"] for tag, attributes in pages[name].elements if tag == "dt" and "id" in attributes}
    assert links == {f"#{key}" for key in (*sections(pages[name]), *words)}
    assert words == {anchor(name) for name in all_named(re.findall("[A-Z][a-z]+ [0-9.]+", pages[name].text))}


@pytest.mark.parametrize("name", RESULTS)
def test_each_finding_leads_to_the_section_of_its_figure(name):
    """The section says the figure; samples and sources, which have no section of their own, are limits."""
    cards = render_html(RESULTS[name]).split("<article")[1 : len(RESULTS[name]["verdict"]) + 1]
    found = [re.search('Evidence: <a href="#([a-z-]+)"', card) for card in cards]
    for finding, link in zip(RESULTS[name]["verdict"], found, strict=True):
        key = finding["figure"]["key"]
        assert link is not None, key
        if key not in ("counts.group_sizes", "mixed_sources_share"):
            assert link[1] != "limits", key


def test_each_statement_of_the_verdict_is_known():
    """But for assumptions, which are no statements."""
    for result in RESULTS.values():
        for finding in result["verdict"]:
            if not finding["statement"].startswith("Assumption"):
                assert len(named(finding["statement"])) == finding["statement"].count(",") + 1


@pytest.mark.parametrize("name", RESULTS)
def test_same_result_same_page_also_after_json(name):
    again = json.loads(json.dumps(RESULTS[name]))
    assert render_html(again) == render_html(RESULTS[name])


@pytest.mark.parametrize("name", RESULTS)
def test_whole_numbers_may_come_back_as_integers(name):
    """Other writers of JSON, jq say, write 1 for 1.0."""

    def plain(text: str) -> float | int:
        return int(float(text)) if float(text).is_integer() else float(text)

    again = json.loads(json.dumps(RESULTS[name]), parse_float=plain)
    assert Page(render_html(again)).text.split("Settings and versions")[0] in render_text(RESULTS[name])


def render_text(result: dict[str, Any]) -> str:
    return Page(render_html(result)).text


@pytest.mark.parametrize("name", RESULTS)
def test_every_plot_has_its_place_a_label_and_something_to_show(pages, name):
    places = {
        attributes["id"].removeprefix("plot-"): attributes
        for _, attributes in pages[name].elements
        if attributes.get("class") == "plot"
    }
    assert set(places) == set(pages[name].plots)
    for key, plot in pages[name].plots.items():
        assert places[key]["role"] == "img"
        assert len(places[key]["aria-label"]) > 10
        assert plot["data"]


@pytest.mark.parametrize("name", RESULTS)
def test_plotly_accepts_every_plot(pages, name):
    for plot in pages[name].plots.values():
        go.Figure(plot["data"], plot["layout"])


@pytest.mark.parametrize("name", RESULTS)
def test_nothing_unknown_leaks(pages, name):
    assert not re.search(r"\b(None|nan|NaN|null|undefined|inf)\b", without_settings(pages[name].text))


def without_settings(text: str) -> str:
    return text[: text.rindex("Settings and versions")]


@pytest.mark.parametrize("name", RESULTS)
def test_tables_have_headings_for_rows_and_columns(pages, name):
    scopes = [attributes.get("scope") for tag, attributes in pages[name].elements if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_every_finding_is_there_with_its_statement(pages):
    for name, result in RESULTS.items():
        for finding in result["verdict"]:
            assert finding["text"] in pages[name].text
            assert finding["statement"] in pages[name].text


def test_figures_stand_with_their_intervals(pages):
    page = " ".join(pages["two rewards, truth, second scores"].text.split())
    tied = FULL["rewards"]["effective"]["tied_share"]
    assert share_text(tied).replace("(", "").replace(")", "") in page
    exposure = FULL["truth"]["all"]["exposure"]
    assert mean_text(exposure).replace("(", "").replace(")", "") in page


def test_prompts_show_competing_texts_side_by_side(pages):
    page = pages["two rewards, truth, second scores"]
    for prompt in FULL["prompts_to_look_at"]:
        assert prompt["prompt"] in page.text
        for completion in prompt["competing"]:
            assert completion["text"] in page.text
    assert any(tag == "mark" for tag, _ in page.elements)


def test_scores_that_differ_look_different():
    result = json.loads(json.dumps(FULL))
    for completion, score in zip(result["prompts_to_look_at"][0]["competing"], (1.18001, 1.18002), strict=False):
        completion["scores"] = {"passes": score}
    page = Page(render_html(result))
    assert "1.18001" in page.text
    assert "1.18002" in page.text


def test_mixed_sources_are_said_in_words(pages):
    assert "no policy's optimum" in pages["two rewards, truth, second scores"].text


def test_unknown_noise_is_said_and_never_zero(pages):
    text = pages["normalised first, no noise asked"].text
    assert "The noise of a score is not asked for" in text
    assert "not estimable" in text


def test_a_reward_without_scores_is_named_with_the_reason(pages):
    text = pages["a reward and a truth without pairs of scores"].text
    assert "no prompt has two completions with this score" in text
    assert "no prompt has two completions with both scores" in text


def test_a_single_reward_of_weight_one_is_shown_once(pages):
    page = pages["one reward, many ties"]
    assert len(page.plots["ties"]["data"][0]["y"]) == 1
    assert "walls" not in page.plots


def test_a_reward_of_weight_zero_is_only_held_against():
    frame = rollouts()
    result = audit(frame, group="prompt_id", rewards={"passes": 1.0, "rare": 0.0}, truth="correct").to_dict()
    assert list(shown_rewards(result)) == ["passes", "rare"]
    assert "Trained on passes, held against rare, correct" in Page(render_html(result)).text


def test_one_reward_no_truth_one_completion_a_prompt_but_two():
    frame = pl.DataFrame(
        {"prompt": ["a", "b", "c", "c"], "completion": ["x", "y", "z", "w"], "reward": [1.0, 0.0, 1.0, 0.5]}
    )
    page = Page(render_html(audit(frame, rewards=["reward"]).to_dict()))
    assert "price" not in sections(page)
    assert "2 prompts with a single completion" in page.text


def test_twelve_rewards_fit():
    frame = rollouts().with_columns(
        ((pl.int_range(pl.len()) * (i + 3)) % (7 + i)).cast(pl.Float64).alias(f"quite_a_long_reward_name_{i}")
        for i in range(12)
    )
    names = [f"quite_a_long_reward_name_{i}" for i in range(12)]
    result = audit(frame, group="prompt_id", prompt="prompt", completion="completion", rewards=names).to_dict()
    page = Page(render_html(result))
    assert len(page.plots["swap-best_changes_share"]["data"][0]["y"]) == 13
    assert len(page.plots["walls"]["data"]) == 12
    assert "66 more pairs" in page.text


def test_no_address_outside_plotly():
    markup = render_html(FULL)
    ours = re.sub(r"<script>.*?</script>", "", markup, flags=re.DOTALL)
    assert "://" not in ours


def big(prompts: int) -> dict[str, Any]:
    """A result as of an audit of many prompts that all lack spread."""
    result = json.loads(json.dumps(FULL))
    result["counts"]["prompts"] = prompts
    result["advice"]["drop_list"] = [{"prompt": f"prompt-{i:06d}", "reason": "zero spread"} for i in range(prompts)]
    result["advice"]["drop_list_counts"] = {"zero spread": prompts}
    return result


def test_a_long_drop_list_is_cut_and_counted():
    page = Page(render_html(big(1000)))
    assert "prompt-000199" in page.text
    assert "prompt-000200" not in page.text
    assert "and 800 more" in page.text
    assert percent(1.0) not in page.text or "1,000 prompts of 1,000" in page.text


def test_a_large_audit_renders_within_a_second():
    result = big(125_000)
    render_html(FULL)  # reads the scripts once
    start = time.process_time()
    render_html(result)
    assert time.process_time() - start < 1.0


def test_no_more_prompts_are_embedded_than_a_page_can_hold():
    result = json.loads(json.dumps(FULL))
    result["prompts_to_look_at"] = (result["prompts_to_look_at"] * 201)[:203]
    page = Page(render_html(result))
    assert sum(attributes.get("class") == "prompt" for tag, attributes in page.elements if tag == "article") == 200
    assert "3 more prompts to look at" in page.text
