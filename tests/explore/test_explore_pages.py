"""The pages of `policycliff explore`, asked over HTTP and held against a reading of the table in plain Python."""

from urllib.parse import quote, urlencode

import polars as pl
import pytest
from audit_examples import rollouts
from audit_oracle import Prompt
from hostile import COLUMNS, TEXTS, hostile_table
from page_reader import Page
from visitor import Seen, Visitor, explored

from policycliff.explore.index import ORDERS, SHOWN
from policycliff.report.format import number
from policycliff.report.html import render_html
from policycliff.report.text import visible
from policycliff.rollouts.parts.opened import Work

WEIGHTS = {"passes": 1.0, "style": 0.2}
ROWS = rollouts(prompts=60).with_row_index("row").to_dicts()
KEYS = {
    "radius": ("radius", 1),
    "tied": ("tied", -1),
    "spread": ("spread", 1),
    "reward": ("mean", -1),
    "truth": ("picked", 1),
}


def read(weights: dict[str, float]) -> list[dict]:
    """Every prompt of the table, from its rows."""
    return [_read_prompt([row for row in ROWS if row["prompt_id"] == f"p{place:02d}"], weights) for place in range(60)]


def _read_prompt(rows: list[dict], weights: dict[str, float]) -> dict:
    found = Prompt([(row["completion"], row) for row in rows], weights)
    best, truth = found.best(), found.column("correct")
    of_best, every = found.truth_over(best, "correct"), found.truth_over(set(found.values()), "correct")
    rewards = [found.effective(row) for row in found.rows]
    flat = found.zero_spread()
    matters = any(
        len({found.values(found.column(name))[item] for item in best}) > 1
        for name in ("correct", *weights)
        if name != "style"  # whose noise is known: small differences mean nothing
    )
    return {
        "best": best,
        "tied": len(best),
        "radius": found.radius(),
        "spread": found.spread(),
        "mean": sum(rewards) / len(rewards),
        "greatest": max(found.values().values()),
        "picked": found.weighted_truth(best, "correct"),
        "largest": max(every),
        "wrong": max(every) > max(of_best),
        "flat": flat,
        "matters": len(best) > 1 and matters,
        "behaviours": len(found.values()),
        "scored": len(rewards),
        "mean truth": sum(truth(row) for row in found.rows) / len(rewards),
    }


FIGURES = read(WEIGHTS)
MEMBERS = {
    "all": lambda prompt: True,
    "tied": lambda prompt: prompt["tied"] > 1,
    "zero-spread": lambda prompt: prompt["flat"],
    "unique": lambda prompt: prompt["tied"] == 1 and prompt["behaviours"] > 1,
    "wrong": lambda prompt: prompt["wrong"],
}


def walked(visitor: Visitor, target: str) -> list[list[int]]:
    """The prompts of each page, from the first to the last by the links."""
    pages = []
    while target is not None:
        seen = visitor.page(target)
        pages.append(seen.prompts())
        target = seen.link("Next")
    return pages


def test_the_report_has_one_more_link(visitor):
    body = visitor.get("/").body
    assert body.replace('<a href="/prompts">All prompts</a>', "") == render_html(visitor.exploration.result)


@pytest.mark.parametrize("order", [*ORDERS, *(f"-{name}" for name in ORDERS)])
@pytest.mark.parametrize("show", SHOWN)
def test_paging_reaches_every_prompt_of_a_list_once(visitor, show, order):
    pages = walked(visitor, f"/prompts?show={show}&order={order}&size=7")
    reached = [place for page in pages for place in page]
    assert len(set(reached)) == len(reached)
    assert all(len(page) == 7 for page in pages[:-1])
    if show in MEMBERS:
        assert sorted(reached) == [place for place, found in enumerate(FIGURES, 1) if MEMBERS[show](found)]
    key, direction = KEYS.get(order.removeprefix("-"), (None, 1))
    direction *= -1 if order.startswith("-") else 1
    keys = [direction * (place if key is None else round(float(FIGURES[place - 1][key]), 12)) for place in reached]
    assert keys == sorted(keys)


def test_consequential_ties_are_those_of_the_audit(visitor):
    reached = {place for page in walked(visitor, "/prompts?show=consequential&size=200") for place in page}
    share = visitor.exploration.result["rewards"]["effective"]["consequential_share"]
    assert len(reached) == share["count"] > 0
    assert {place for place, found in enumerate(FIGURES, 1) if found["matters"]} <= reached


def test_dropped_prompts_are_those_of_the_drop_list(visitor):
    reached = {place for page in walked(visitor, "/prompts?show=dropped&size=200") for place in page}
    listed = visitor.exploration.result["advice"]["drop_list"]
    assert {f"p{place - 1:02d}" for place in reached} == {item["prompt"] for item in listed} != set()


def test_the_list_shows_the_figures_of_each_prompt(visitor):
    rows = {row[0].split()[0]: row for row in visitor.page("/prompts?size=200").rows[1:]}
    for place, found in enumerate(FIGURES):
        counts = [found["behaviours"], found["tied"]]
        keys = ("radius", "spread", "mean", "greatest", "picked", "largest")
        told = ["12", *map(str, counts), *(number(float(found[key])) for key in keys)]
        assert rows[f"p{place:02d}"][1:-1] == told


def test_the_page_of_a_prompt_shows_its_figures_and_all_completions(visitor):
    for place, found in [*enumerate(FIGURES, 1)][1::2]:
        seen = visitor.page(f"/prompts/{place}")
        assert list(seen.tiles.values()) == [
            str(found["tied"]),
            *(number(float(found[key])) for key in ("radius", "spread", "greatest", "picked", "largest")),
        ]
        assert_completions(seen, place, found, WEIGHTS)


def assert_completions(seen: Seen, place: int, found: dict, weights: dict[str, float]) -> None:
    """The last blocks of a page are all completions of a prompt, best reward first, with their scores."""
    rows = {row["row"]: row for row in ROWS if row["prompt_id"] == f"p{place - 1:02d}"}
    facts, scores = seen.facts[-len(rows) :], seen.scores[-len(rows) :]
    shown = [int(fact.rpartition("row ")[2]) for fact in facts]
    assert sorted(shown) == sorted(rows)
    prompt = Prompt([], weights)
    effective = [None if rows[row]["style"] is None else prompt.effective((None, rows[row])) for row in shown]
    known = [value for value in effective if value is not None]
    assert known == sorted(known, reverse=True)
    assert effective[: len(known)] == known
    for row, fact, cells, value in zip(shown, facts, scores, effective, strict=True):
        told = {"effective": value, **{name: rows[row][name] for name in ("passes", "style", "style_again")}}
        told["correct (truth)"] = rows[row]["correct"]
        assert cells == {
            name: "missing" if value is None else number(float(value), digits=6) for name, value in told.items()
        }
        best = value is not None and rows[row]["completion"] in found["best"]
        assert fact.startswith("best" if best else "not best")
        assert rows[row]["model"] in fact


def test_other_weights_pick_other_winners(visitor):
    weights = {"passes": -0.5, "style": 3.0}
    changed = 0
    for place, found in list(enumerate(read(weights), 1))[::3]:
        seen = visitor.page(f"/prompts/{place}?w1=-0.5&w2=3")
        assert seen.tiles["share the best reward"] == str(found["tied"])
        assert_completions(seen, place, found, weights)
        changed += found["best"] != FIGURES[place - 1]["best"]
        assert seen.link("Weights of the audit") == f"/prompts/{place}"
    assert changed > 0
    as_audited = visitor.get("/prompts/4?w1=1&w2=0.2").body
    assert as_audited == visitor.get("/prompts/4").body


def test_neighbours_keep_the_list_and_the_weights(visitor):
    listed = [place for page in walked(visitor, "/prompts?show=tied&order=reward&size=7") for place in page]
    target, reached = f"/prompts/{listed[0]}?show=tied&order=reward&size=7&w2=0.5", []
    while target is not None:
        seen = visitor.page(target)
        reached.append(int(target.partition("?")[0].rpartition("/")[2]))
        place = len(reached) - 1
        if place:
            assert f"page={place // 7 + 1}" in target or place < 7
        target = seen.link("Next")
    assert reached == listed


def test_search_is_for_a_substring_whatever_its_case_and_no_pattern(visitor):
    assert walked(visitor, "/prompts?search=QUESTION+1%3F") == [[2]]
    assert walked(visitor, "/prompts?search=P07") == [[8]]
    assert len(walked(visitor, "/prompts?search=question&size=200")[0]) == 60
    for nothing in (".", "question .", "^p", "[", "(", "\\", "%"):
        assert walked(visitor, f"/prompts?search={quote(nothing)}") == [[]], nothing
    both = walked(visitor, "/prompts?search=question&show=tied&size=200")[0]
    assert both == [place for place, found in enumerate(FIGURES, 1) if found["tied"] > 1]


def test_the_competing_block_is_that_of_the_report(visitor):
    listed = visitor.exploration.result["prompts_to_look_at"]
    assert listed
    for item in listed:
        body = visitor.get(f"/prompts/{int(item['prompt'][1:]) + 1}").body
        assert f"{item['reason']} (one of {item['same_reason']})" in body
        for shown in item["competing"]:
            assert f"row {shown['row']}" in body


def test_many_completions_come_a_page_at_a_time(tmp_path):
    text = pl.int_range(53, eager=True)
    table = pl.DataFrame({"prompt": ["p"] * 53, "completion": ("c" + text.cast(pl.String)), "score": text * 1.5})
    with explored(tmp_path / "t.parquet", table, rewards=["score"]) as found:
        target, rows, sizes = "/prompts/1", [], []
        while target is not None:
            seen = found.page(target)
            facts = [fact for fact in seen.facts if "behaviour" in fact]
            rows += [int(fact.rpartition("row ")[2]) for fact in facts]
            sizes.append(len(facts))
            target = seen.link("Next")
        assert sizes == [20, 20, 13]
        assert rows == list(range(52, -1, -1))
        assert found.get("/prompts/1?completions=4").status == 404


def test_long_texts_are_folded(tmp_path):
    table = pl.DataFrame({"prompt": ["p", "p"], "completion": ["x" * 2000, "y\n" * 40], "score": [1.0, 0.5]})
    with explored(tmp_path / "t.parquet", table, rewards=["score"]) as found:
        body = found.get("/prompts/1").body
        assert "(2,000 characters)</summary><pre" in body
        assert "(80 characters)</summary><pre" in body


def test_prompts_of_one_completion_and_without_reward_have_their_page(tmp_path):
    table = pl.DataFrame(
        {"prompt": list("aabcc"), "completion": list("vwxyz"), "score": [1.0, 0.0, 1.0, None, 2.0], "other": [0.0] * 5}
    )
    with explored(tmp_path / "t.parquet", table, rewards={"score": 1.0, "other": 0.0}) as found:
        assert walked(found, "/prompts?order=radius") == [[1, 2, 3]]
        for place in (2, 3):
            body = found.get(f"/prompts/{place}").body
            assert "Fewer than two completions have the effective reward" in body
        assert found.page("/prompts/3").scores[-1]["effective"] == "missing"
        assert "no truth column" in found.get("/prompts?show=wrong").body


def test_texts_of_the_data_never_become_markup(tmp_path):
    options = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": COLUMNS["source"]}
    rewards = {COLUMNS["first"]: 1.0, COLUMNS["second"]: 0.5}
    with explored(tmp_path / "t.parquet", hostile_table(), rewards=rewards, truth=COLUMNS["truth"], **options) as found:
        searches = [f"/prompts?{urlencode({'search': text})}" for text in TEXTS]
        for target in ("/prompts", "/prompts/3?w1=2", *(f"/prompts/{place}" for place in range(1, 13)), *searches):
            body = found.get(target).body
            page = Page(body)
            assert page.misnested == page.open == page.comments == page.scripts == [], target
            assert page.names() & {"img", "script", "iframe", "link", "object", "base"} == set()
            for _, attributes in page.elements:
                assert not [name for name in attributes if name.startswith("on")]
                assert "style" not in attributes, target
                assert all((attributes.get(name) or "/").startswith(("/", "#")) for name in ("href", "action", "src"))
        seen = Page(found.get("/prompts/1").body).text
        assert all(visible(row["completion"]).strip() in seen for row in hostile_table().to_dicts()[:6])


def test_parts_on_disk_give_the_same_pages(visitor, tmp_path):
    options = {"rewards": WEIGHTS, "truth": "correct", "rerun": {"style": "style_again"}}
    roles = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": "model"}
    work = Work(executor="disk", parts=4, folder=tmp_path)
    with explored(tmp_path / "table.parquet", rollouts(prompts=60), work=work, **options, **roles) as found:
        assert len(set(found.exploration.index.prompts["part"])) == 4
        same = visitor.exploration.index.prompts.drop("part", "group")
        assert found.exploration.index.prompts.drop("part", "group").equals(same)
        lists = (f"/prompts?show={show}&order={order}&size=13" for show in SHOWN for order in ORDERS)
        prompts = (f"/prompts/{place}{more}" for place in (1, 7, 33, 60) for more in ("", "?w2=4"))
        for target in (*lists, *prompts, "/prompts?search=question+3"):
            assert found.get(target).body == visitor.get(target).body, target
        assert [item.name for item in tmp_path.iterdir() if item.is_dir()] != []
    assert [item.name for item in tmp_path.iterdir()] == ["table.parquet"]
