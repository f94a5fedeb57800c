"""Trees of texts: every node tells exactly who passes through it, and nothing is left out without being counted."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from audit_examples import every_result
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Page

from policycliff.report.prompts.tree import MOST_DEPTH, Node, Text, mean_shared, nodes_of, tree_of, words_with_blanks
from policycliff.report.prompts.tree_blocks import MOST_NODES, tree_block
from policycliff.report.prompts.tree_texts import all_texts, competing_texts, sampled_texts
from policycliff.report.prompts.trees import MOST_TREES, tree_of_prompt, trees_of_sample
from policycliff.report.sections.prompts import prompts_section

FULL = every_result()["two rewards, truth, second scores"]


def text(words: str, *, draws: int = 1, reward: float | None = 0.0, best: bool = False, **more: Any) -> Text:
    return Text(words_with_blanks(words), draws, 0 if reward is None else draws, reward, best=best, **more)


some_rows = st.lists(
    st.tuples(st.text("ab ", max_size=14), st.integers(1, 3), st.sampled_from([None, 0.0, 0.25, 1.0]), st.booleans()),
    min_size=1,
    max_size=12,
)


def made(rows: list[tuple[str, int, float | None, bool]]) -> list[Text]:
    return [text(words, draws=draws, reward=reward, best=best) for words, draws, reward, best in rows]


def paths(node: Node, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    here = before + node.words
    yield here, node
    for way in node.ways:
        yield from paths(way, here)


def facts(markup: str) -> list[str]:
    return re.findall(r'<span class="facts">([^<⏎]*)</span>', markup)


def completions_told(markup: str) -> int:
    """Completions of all ends, and of what is not shown."""
    ends = re.findall(r"<li[^>]*>(?:(?!<details|<ul|</li>).)*?([\d,]+) completions? · ", markup, re.DOTALL)
    left = re.findall(r"on not shown: ([\d,]+) completion", markup)
    return sum(int(number.replace(",", "")) for number in [*ends, *left])


@given(some_rows)
@settings(deadline=None)
def test_a_node_holds_the_texts_that_begin_with_its_path(rows):
    texts = made(rows)
    root = tree_of(texts)
    for path, node in paths(root):
        below = [item for item in texts if item.words[: len(path)] == path]
        ends = [item for item in below if item.words == path]
        if node.ways:
            assert sorted(map(id, node.texts)) == sorted(map(id, below))
            assert len(node.ways) == len({item.words[len(path) : len(path) + 1] for item in below}) > 1
        else:
            assert sorted(map(id, node.texts)) == sorted(map(id, ends))


@given(some_rows)
@settings(deadline=None)
def test_the_most_alike_other_text_is_the_neighbour(rows):
    texts = made(rows)
    different = {item.words for item in texts}

    def shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
        return max(depth for depth in range(min(len(one), len(other)) + 1) if one[:depth] == other[:depth])

    nearest = [max([0, *(shared(one, other) for other in different if other != one)]) for one in different]
    assert mean_shared(texts) == pytest.approx(sum(nearest) / len(nearest))


@given(st.text("ab \n\t世", max_size=30))
def test_words_hold_the_text_whole(written):
    assert "".join(words_with_blanks(written)) == written


@given(some_rows)
@settings(deadline=None)
def test_all_completions_are_told_or_counted(rows):
    texts = made(rows)
    assert completions_told(tree_block("tree", texts)) == sum(item.draws for item in texts)


def test_a_line_tells_who_passes_with_which_rewards():
    texts = [
        text("a b c", draws=2, reward=1.0, best=True, name="B"),
        text("a b d", reward=0.25, name="A"),
        text("a b", reward=None),
        text("x", draws=3, reward=0.5),
    ]
    markup = tree_block("tree", texts)
    assert facts(markup) == [
        "A and B · 7 completions · reward mean 0.625, best 1 (1 without) · the best text lies below",
        "A and B · 4 completions · reward mean 0.75, best 1 (1 without) · the best text lies below",
        "B · 2 completions · reward 1 · best",
        "A · 1 completion · reward 0.25 · not best",
        "1 completion · without the reward · not best",
        "3 completions · reward 0.5 · not best",
    ]
    assert markup.count('class="all-best"') == 2
    assert "(the beginning)" in markup
    assert "(ends)" in markup


def test_some_of_the_best_texts_are_counted_and_marked_otherwise():
    markup = tree_block("tree", [text("a b", best=True), text("a c", best=True), text("d", best=True), text("a e")])
    assert "2 of 3 best texts below" in markup
    assert markup.count('class="some-best"') == 4
    assert 'class="all-best"' not in markup


def test_lines_that_break_texts_and_long_texts_are_told():
    markup = tree_block("tree", [text("a\n  b" + " c" * 400), text("a\n  d")])
    assert '<span class="facts">⏎ </span><span class="way">  d</span>' in markup
    assert "… 643 more characters" in markup


def test_of_many_nodes_those_with_best_texts_and_most_completions_are_shown():
    texts = [text(f"word{number} end", draws=1 + (number == 150)) for number in range(300)]
    texts += [text("rare but best", best=True)]
    markup = tree_block("tree", texts)
    assert markup.count("<li") == MOST_NODES + 1
    assert "rare but best" in markup
    assert "word150" in markup
    left = len(texts) - (MOST_NODES - 1)
    assert f"{left} more ways on not shown: {left} completions, reward 0, none of them best." in markup
    assert completions_told(markup) == len(texts) + 1


def test_deep_trees_end_and_say_so():
    texts = [text("a " * depth, best=depth == 900) for depth in range(1, 1000)]
    root = tree_of(texts)
    assert max(len(path) for path, _ in paths(root)) <= MOST_DEPTH + 2
    assert any(len(node.texts) > 900 and not node.ways for node in nodes_of(root))
    markup = tree_block("tree", texts)
    assert "texts not told apart here" in markup
    assert completions_told(markup) == 999


def behaviour(row: int, written: str | None) -> dict[str, Any]:
    return {"row": row, "text": written, "behaviour": None, "source": None}


def entry(place: int, draws: int, effective: float | None) -> dict[str, Any]:
    return {"behaviour": place, "draws": draws, "effective": effective, "scores": [], "terms": []}


def sampled(*texts: str | None, row: int = 0, name: str = "p") -> dict[str, Any]:
    return {
        "prompt": name,
        "step": None,
        "best": [0],
        "behaviours": [behaviour(row + place, item) for place, item in enumerate(texts)],
        "completions": [entry(place, 1, float(place == 0)) for place in range(len(texts))],
    }


def test_a_behaviour_has_the_mean_reward_of_its_completions():
    prompt = sampled("a b", "a c", None) | {"completions": [entry(0, 3, 1.0), entry(1, 1, 0.5), entry(0, 1, 0.0)]}
    prompt["completions"] += [entry(1, 2, None), entry(2, 9, 0.0)]
    first, second = sampled_texts(prompt)
    assert (first.draws, first.scored, first.reward, first.best) == (4, 4, 0.75, True)
    assert (second.draws, second.scored, second.reward, second.best) == (3, 1, 0.5, False)


def test_the_last_word_of_a_cut_text_is_not_known():
    texts = sampled_texts(sampled("a b retu [... 30 more characters]", "a b retu"))
    assert [(item.words, item.cut) for item in texts] == [(("a", " b"), True), (("a", " b", " retu"), False)]
    assert "(cut here)" in tree_block("tree", texts)


def listed(*texts: str | None, rows: tuple[int, ...] = (0, 1, 2, 3)) -> dict[str, Any]:
    known = {"draws": 1, "effective": 1.0, "is_best": True}
    return {"competing": [known | {"text": item, "row": row} for item, row in zip(texts, rows, strict=False)]}


def test_a_listed_prompt_has_the_tree_of_all_its_sampled_texts_with_its_own_whole():
    prompt = listed("a b c d e", "a x")
    sample = {"prompts": [sampled("q", row=50), sampled("a b c [... 4 more characters]", "a x", "a y")]}
    texts = all_texts(prompt, sample["prompts"][1])
    assert [(item.name, "".join(item.words)) for item in texts] == [("A", "a b c d e"), ("B", "a x"), (None, "a y")]
    assert "Where the 3 texts sampled part" in tree_of_prompt(prompt, sample)
    assert "Where the 2 competing texts part" in tree_of_prompt(prompt, None)


def test_where_nothing_is_shared_it_is_said_and_where_nothing_parts_there_is_no_tree():
    assert "No two of the 2 texts begin with the same word." in tree_of_prompt(listed("a", "b"), None)
    assert tree_of_prompt(listed("a b", "a b"), None) is None
    assert tree_of_prompt(listed("a", None), None) is None
    assert tree_of_prompt(listed("[redacted]", "[redacted]"), None) is None
    assert competing_texts(listed(None, None)) == []


def test_sampled_prompts_come_by_what_their_texts_share_and_are_counted():
    prompts = [sampled("a " * k + "b", "a " * k + "c", row=2 * k, name=f"name{k:02}") for k in range(30)]
    markup = trees_of_sample({"prompts": prompts}, [listed("x", rows=(58,))])
    names = re.findall(r"name\d\d", markup)
    assert names == [f"name{k:02}" for k in range(28, 28 - MOST_TREES, -1)]
    assert "Of 29 sampled prompts not listed above, the 20 whose texts go on together longest." in markup
    assert "8 more share less and are not shown." in markup
    assert "In 1 no two texts begin with the same word." in markup


def test_samples_without_shared_beginnings_or_texts_have_no_block():
    assert trees_of_sample(None, []) is None
    assert trees_of_sample({"prompts": [sampled("a", "b"), sampled(None, None)]}, []) is None
    assert "redacted" in trees_of_sample({"prompts": [sampled("[redacted]", "[redacted]")]}, [])


def test_the_page_of_an_audit_holds_trees_and_is_whole():
    page = Page(prompts_section(FULL).body)
    assert page.open == []
    assert page.misnested == []
    assert "Where the" in page.text


def test_without_prompts_to_look_at_the_trees_remain():
    sample = {"prompts": [sampled("a b", "a c")]}
    section = prompts_section(FULL | {"prompts_to_look_at": [], "sample": sample})
    assert section.title == "Prompts of the sample"
    assert prompts_section(FULL | {"prompts_to_look_at": [], "sample": None}) is None
