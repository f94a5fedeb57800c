"""Sliders in Chromium: what they recompute agrees with the audit's figures and with sums of fractions."""

from collections import defaultdict
from contextlib import ExitStack
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import polars as pl
import pytest
from audit_examples import WORDS, rollouts
from headless import visited

from policycliff.report.format import number, percent
from policycliff.report.html import render_html
from policycliff.report.redact import redacted
from policycliff.rollouts.audit import audit

ROLES = {"prompt": "prompt", "group": "prompt_id", "completion": "completion"}
CASES = {
    "two rewards and a truth": {"rewards": {"passes": 1.0, "style": 0.2}, "truth": "correct"},
    "a penalty, behaviours of several scores": {
        "rewards": {"passes": 1.0, "n_chars": -0.05},
        "behaviour": "answer",
        "truth": "correct",
    },
    "missing scores count as 0": {"rewards": {"passes": 0.3, "rare": 0.1, "style": 0.7}, "missing": "zero"},
    "rewards that are not trained on": {"rewards": {"passes": 1.0, "style": 0.0, "n_chars": 0.0}, "truth": "correct"},
    "normalised first": {"rewards": {"passes": 1.0, "style": 0.2}, "aggregation": "normalize_then_sum"},
}


@cache
def result_of(name: str, beta: float | None = None) -> dict[str, Any]:
    return audit(rollouts(), **ROLES, **CASES[name], beta=beta).to_dict()


@pytest.fixture(params=CASES)
def case(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def page_of(browser, tmp_path_factory):
    """The page of a case as it opens: it is opened once, and its controls are put back."""
    pages: dict[str, Any] = {}
    with ExitStack() as stack:

        def opened(name: str) -> Any:
            if name not in pages:
                folder = tmp_path_factory.mktemp("sliders")
                visit = stack.enter_context(visited(browser, render_html(result_of(name)), folder))
                pages[name] = visit.page
            put_back(pages[name])
            return pages[name]

        yield opened


def put_back(page) -> None:
    for name in ("weights-reset", "temperature-reset"):
        page.click(f"#{name}")
    page.uncheck("#temperature-scaled")
    page.select_option("#temperature-pair", "0")
    settle(page)


def set_slider(page, name: str, value: float) -> None:
    """Moves a slider as a person does: the value, then an input event; waits for the frame that recomputes."""
    page.eval_on_selector(
        f"#{name}", "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value)
    )
    settle(page)


def figure(page, name: str) -> float:
    return float(page.get_attribute(f"#{name}", "data-value"))


def text(page, name: str) -> str:
    return page.text_content(f"#{name}").strip()


def best_sets_of_page(page) -> list[list[int]]:
    script = "() => { const w = weightsNow(); return sample.prompts.map((p) => bestSet(usable(p, w), w)); }"
    return page.evaluate(script)


def oracle(name: str, weights: dict[str, Fraction], counted: set[str]) -> dict[str, set[str]]:
    """Best behaviours by prompt, from the rows, in fractions; `counted` are the columns that a row must have."""
    options = CASES[name]
    behaviour = options.get("behaviour", "completion")
    rewards: dict[str, dict[str, list[Fraction]]] = defaultdict(lambda: defaultdict(list))
    for row in rollouts().iter_rows(named=True):
        scores = {column: row[column] for column in weights}
        if options.get("missing") == "zero":
            scores = {column: 0.0 if value is None else value for column, value in scores.items()}
        if any(scores[column] is None for column in counted):
            continue
        parts = [weights[column] * Fraction(repr(value)) for column, value in scores.items() if value is not None]
        rewards[row["prompt_id"]][row[behaviour]].append(sum(parts, Fraction(0)))
    best = {}
    for prompt, behaviours in rewards.items():
        if sum(map(len, behaviours.values())) >= 2:
            means = {key: sum(values) / len(values) for key, values in behaviours.items()}
            best[prompt] = {key for key, value in means.items() if value == max(means.values())}
    return best


def shown_sets(result: dict[str, Any], best: list[list[int]], key: str) -> dict[str, set[str]]:
    prompts = result["sample"]["prompts"]
    return {
        prompt["prompt"]: {prompt["behaviours"][place][key] for place in places}
        for prompt, places in zip(prompts, best, strict=True)
        if places is not None
    }


def test_best_sets_of_the_page_are_those_of_the_audit(case, page_of):
    result = result_of(case)
    page = page_of(case)
    assert best_sets_of_page(page) == [sorted(prompt["best"]) for prompt in result["sample"]["prompts"]]
    tied = result["rewards"]["effective"]["tied_share"]["value"]
    assert figure(page, "weights-tied") == pytest.approx(tied)
    assert text(page, "weights-tied") == percent(tied)
    assert figure(page, "weights-changed") == 0.0


@pytest.mark.parametrize("name", [name for name in CASES if name != "normalised first"])
def test_sliders_give_the_best_sets_of_exact_sums(name, page_of):
    result = result_of(name)
    page = page_of(name)
    given = {column: Fraction(repr(weight)) for column, weight in CASES[name]["rewards"].items()}
    trained_on = {column for column, weight in given.items() if weight}
    in_use = oracle(name, given, trained_on)
    key = "behaviour" if "behaviour" in CASES[name] else "text"
    for place, (column, weight) in enumerate(given.items()):
        for value in (-1, -0.5, 0, 0.125, 0.975, 1) if weight == 0 else (-1, -0.5, 0, 0.975, 1.025, 1.5, 2, 3):
            set_slider(page, f"weight-{place}", value)
            moved = Fraction(repr(value)) * (weight or 1)
            counted = trained_on | ({column} if moved else set())
            expected = oracle(name, given | {column: moved}, counted)
            assert shown_sets(result, best_sets_of_page(page), key) == expected
            changed = sum(expected[prompt] != in_use[prompt] for prompt in expected)
            assert figure(page, "weights-changed") == pytest.approx(changed / len(expected))
        page.click("#weights-reset")
        settle(page)
        assert figure(page, "weights-changed") == 0.0


def test_a_normalised_slider_agrees_with_an_audit_at_the_moved_weight(page_of):
    name = "normalised first"
    page = page_of(name)
    set_slider(page, "weight-1", 2.5)
    moved = audit(
        rollouts(), **ROLES, rewards={"passes": 1.0, "style": 0.5}, aggregation="normalize_then_sum"
    ).to_dict()
    assert best_sets_of_page(page) == [sorted(prompt["best"]) for prompt in moved["sample"]["prompts"]]


def test_shares_of_the_sample_and_of_the_walls_agree(page_of):
    result = result_of("two rewards and a truth")
    page = page_of("two rewards and a truth")
    for place, factor in product((0, 1), (-0.525, 0.475, 1.475, 2.975)):
        set_slider(page, f"weight-{place}", factor)
        curve = result["weights"][place]["curve"]
        expected = curve["changed_share"][curve["factor"].index(factor)]
        assert figure(page, "weights-whole") == pytest.approx(expected)
        assert figure(page, "weights-changed") == pytest.approx(expected)
        lines = page.evaluate("document.getElementById('plot-walls').layout.shapes.map((shape) => shape.x0)")
        assert factor in lines
        set_slider(page, f"weight-{place}", 1)
    set_slider(page, "weight-0", 2)
    set_slider(page, "weight-1", 2)
    assert "moves alone" in text(page, "weights-whole")


def test_the_truth_of_the_best_is_that_of_an_audit_at_the_moved_weights(page_of):
    page = page_of("two rewards and a truth")
    for factor, weight in ((1, 0.2), (3, 0.6), (0.5, 0.1)):
        set_slider(page, "weight-1", factor)
        options = CASES["two rewards and a truth"] | {"rewards": {"passes": 1.0, "style": weight}}
        truth = audit(rollouts(), **ROLES, **options).to_dict()["truth"]["all"]
        assert figure(page, "weights-truth") == pytest.approx(truth["mean_truth"]["value"])
        bounds = (number(truth["worst_truth"]["value"]), number(truth["best_truth"]["value"]))
        assert text(page, "weights-truth-range") == f"{bounds[0]} to {bounds[1]} by tie-breaker"


def test_changed_prompts_are_listed_with_their_best_completions(page_of):
    result = result_of("two rewards and a truth")
    page = page_of("two rewards and a truth")
    assert page.is_hidden("#weights-table")
    set_slider(page, "weight-0", -1)
    changed = round(figure(page, "weights-changed") * len(result["sample"]["prompts"]))
    rows = page.locator("#weights-list tr")
    assert rows.count() == min(changed, 12) > 0
    assert page.is_visible("#weights-table")
    assert text(page, "weights-more") == ("" if changed <= 12 else f"and {changed - 12} more")


def test_the_temperature_slider_agrees_with_audits_at_its_betas(case, page_of):
    result = result_of(case)
    page = page_of(case)
    for step in (-40, 0, 13):
        set_slider(page, "temperature-beta", step)
        beta = figure(page, "temperature-beta-value")
        assert beta == pytest.approx(result["beta"]["value"] * 10 ** (step / 20))
        agree_pair_by_pair(page, comparable(result_of(case, beta)))


def test_scaled_rewards_have_a_beta_of_one(case, page_of):
    result = result_of(case)
    page = page_of(case)
    page.check("#temperature-scaled")
    settle(page)
    assert figure(page, "temperature-beta-value") == 1.0
    agree_pair_by_pair(page, {names: pair["scaled"] for names, pair in comparable(result).items()})


def comparable(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(pair["first"], pair["second"]): pair for pair in result["pairs"] if pair["prompts"]}


def agree_pair_by_pair(page, pairs: dict[tuple[str, str], dict[str, Any]]) -> None:
    shown = [tuple(option.split(" / ")) for option in page.locator("#temperature-pair option").all_text_contents()]
    assert set(shown) == set(pairs)
    for place, names in enumerate(shown):
        page.select_option("#temperature-pair", str(place))
        settle(page)
        agree(page, pairs[names])


def settle(page) -> None:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def agree(page, figures: dict[str, Any]) -> None:
    keys = {"sharp": "sharp_bound", "sup": "sup_bound", "linear": "linear_bound"}
    for name, key in keys.items():
        assert figure(page, f"temperature-{name}") == pytest.approx(figures[key]["value"], rel=1e-9)
    samples = figures["effective_sample_size_median"]
    assert figure(page, "temperature-samples") == pytest.approx(samples, rel=1e-9)
    variation = figures["total_variation"]
    assert text(page, "temperature-samples").startswith("not estimable" if variation is None else "estimated")
    if variation is not None:
        assert figure(page, "temperature-variation") == pytest.approx(variation["value"], rel=1e-9)
        assert text(page, "temperature-variation") == number(variation["value"])
    assert figure(page, "temperature-variation") <= figure(page, "temperature-sharp") + 1e-12


def test_the_policy_at_a_prompt_is_that_of_the_definition(page_of):
    result = result_of("two rewards and a truth")
    page = page_of("two rewards and a truth")
    rows = rollouts().filter(pl.col("prompt_id") == "p07")
    place = [prompt["prompt"] for prompt in result["sample"]["prompts"]].index("p07")
    options = page.locator("#temperature-pair option").all_text_contents()
    page.select_option("#temperature-pair", str(options.index("passes / correct")))
    page.select_option("#temperature-prompt", str(place))
    set_slider(page, "temperature-beta", 3)
    beta = figure(page, "temperature-beta-value")
    shares = {name: (pl.col(name) / beta).exp() / (pl.col(name) / beta).exp().sum() for name in ("passes", "correct")}
    expected = {
        row["completion"]: [row["sampled"], row["passes"], row["correct"]]
        for row in rows.with_columns(sampled=1.0 / pl.len(), **shares)
        .group_by("completion")
        .agg(pl.col("sampled", "passes", "correct").sum())
        .iter_rows(named=True)
    }
    shown = {
        row.locator("th").text_content(): [float(cell.get_attribute("data-value")) for cell in row.locator("td").all()]
        for row in page.locator("#temperature-policy tr").all()
    }
    assert len(shown) == min(12, len(expected))
    for name, values in shown.items():
        assert values == pytest.approx(expected[name])


def test_the_page_says_which_sample_it_recomputes(open_page):
    whole = open_page(render_html(result_of("two rewards and a truth")))
    assert "Recomputed in this page for all 30 prompts." in whole.text_content("#weight-sliders")
    some = audit(rollouts(), **ROLES, **CASES["two rewards and a truth"], embed=15, look_at=5, seed=4).to_dict()
    page = open_page(render_html(some))
    said = "Recomputed in this page for 10 prompts drawn at random (seed 4) from 30."
    for box in ("#weight-sliders", "#temperature-sliders"):
        assert said in page.text_content(box)


def test_a_redacted_page_has_sliders_and_no_texts(open_page):
    page = open_page(render_html(redacted(result_of("two rewards and a truth"))))
    set_slider(page, "weight-0", -1)
    texts = (*(f"answer {word}" for word in WORDS), "Question")
    assert not [text for text in texts if text in page.text_content("body")]
    assert "row" in page.text_content("#weights-list")


def test_without_a_sample_there_are_no_sliders(open_page):
    bare = audit(rollouts(), **ROLES, **CASES["two rewards and a truth"], embed=0).to_dict()
    page = open_page(render_html(bare))
    assert page.locator("input").count() == 0
