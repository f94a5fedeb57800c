"""Competing texts side by side: what is marked is exactly what differs, whatever the texts, and soon."""

import copy
import random
import time
from itertools import pairwise
from typing import Any

import pytest
from audit_examples import every_result
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Page

from policycliff.report.prompts.cards import cards
from policycliff.report.prompts.compared import compared, without_cut
from policycliff.report.prompts.differences import blocks_of, common_places, likeness, words_of
from policycliff.report.prompts.preference import preference
from policycliff.report.prompts.texts import folded
from policycliff.report.redact import redacted
from policycliff.report.sections.prompts import prompts_section

CODE = "def f(n):\n    if n == 0:\n        return 1\n    return n * f(n - 1)\n"
FULL = every_result()["two rewards, truth, second scores"]

some_texts = st.text(alphabet="ab (\n界é\u0301", max_size=40)


def completion(
    text: str | None, effective: float = 1.0, *, best: bool = True, **scores: float | None
) -> dict[str, Any]:
    known = {"row": 0, "behaviour": None, "source": None, "draws": 1, "scores": scores}
    return known | {"text": text, "effective": effective, "is_best": best}


def notes(*texts: str | None) -> list[str | None]:
    return [found.note for found in compared([completion(text) for text in texts])]


def marked(*texts: str) -> list[list[str]]:
    return [[part for part, mark in found.runs if mark] for found in compared([completion(text) for text in texts])]


def longest(first: str, second: str) -> int:
    """Length of a longest common subsequence by its table."""
    row = [0] * (len(second) + 1)
    for sign in first:
        last = row[:]
        for place, other in enumerate(second, start=1):
            row[place] = last[place - 1] + 1 if sign == other else max(last[place], row[place - 1])
    return row[-1]


@given(st.text("abc", max_size=70), st.text("abc", max_size=70))
@settings(deadline=None)
def test_common_subsequences_are_common_and_longest(first, second):
    found = common_places(first, second)
    assert len(found) == longest(first, second)
    assert all(first[i] == second[j] for i, j in found)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(found))


@given(some_texts, some_texts)
@settings(deadline=None)
def test_blocks_hold_both_texts_whole(first, second):
    blocks = blocks_of(first, second)
    assert "".join(block.equal + block.first for block in blocks) == first
    assert "".join(block.equal + block.second for block in blocks) == second
    assert all(block.equal for block in blocks[1:])
    assert all(block.first or block.second for block in blocks[:-1])
    assert 0 <= likeness(blocks) <= 1
    assert any(block.first or block.second for block in blocks) == (first != second)


@given(some_texts)
def test_words_hold_the_text_whole(text):
    assert "".join(words_of(text)) == text


def test_signs_that_belong_together_are_one_word():
    assert words_of("cafe\u0301, हिन्दी 世界") == ["cafe\u0301", ",", " ", "हिन्दी", " ", "世", "界"]


def test_lines_stay_together():
    changed = CODE.replace("        return 1\n", "        print(n)\n        return 1\n")
    assert [block.second for block in blocks_of(CODE, changed)] == ["        print(n)\n", ""]


def test_short_equal_words_between_changes_are_no_islands():
    blocks = blocks_of("first entirely of other words", "then something of quite elsewhere")
    assert len(blocks) == 1


def test_only_words_of_one_text_are_marked():
    other = CODE.replace("n == 0", "n <= 1")
    assert marked(CODE, other) == [["== 0"], ["<= 1"]]
    assert notes(CODE, other) == [
        "Marked: 3 words and signs not in B.",
        "Marked: 3 words and signs not in A; 3 words and signs of A are missing.",
    ]


def test_words_of_the_first_text_are_marked_where_no_other_has_them():
    first, second, third = "one two three four five six", "one two three four FIVE six", "one two three four five SIX"
    assert marked(first, second, third) == [[], ["FIVE"], ["SIX"]]
    assert notes(first, second, third)[0] == "Each word is in B or C, too."


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        (CODE, CODE, "The same text as A."),
        ("a\r\nb", "a\nb", "But for signs that look alike the same as A."),
        (CODE, "Nothing to be seen here, move along!", "Little in common with A: no words are marked."),
        (CODE, CODE.replace("    return n", "\treturn n"), "Differs from A in blanks and line breaks only: marked."),
        (CODE + "print(f(3))", CODE, "7 words and signs of A are missing here; all else is the same."),
        (CODE, CODE + "x", "Marked: 1 word or sign not in A, which is here whole."),
        (CODE, "x" * 8001, "Too long to compare with A."),
        (CODE + " [... 9 more characters]", CODE, "The same text as A. Compared as far as the texts are known."),
    ],
)
def test_each_difference_is_said_in_words(first, second, note):
    assert notes(first, second)[1] == note


def test_what_lies_behind_a_cut_is_not_compared_and_said():
    first, second = "a b c d [... 7 more characters]", "a b c e [... 9 more characters]"
    found = compared([completion(first), completion(second)])
    assert [run for run in found[1].runs if run[1]] == [("e", True)]
    assert "".join(part for part, _ in found[1].runs) == second
    assert found[1].note.endswith(" Compared as far as the texts are known.")
    assert without_cut("[... 7 more characters] a")[1] == ""


def test_all_are_compared_with_the_first_best_one_that_has_a_text():
    found = compared([completion(None), completion("a b c d", best=False), completion("a b c e"), completion("")])
    assert [item.note is None for item in found] == [True, False, False, True]
    assert "not in C" in found[1].note


@given(st.lists(some_texts, min_size=2, max_size=4))
@settings(deadline=None)
def test_texts_are_shown_as_they_are_with_marks_in_between(texts):
    for text, found in zip(texts, compared([completion(text) for text in texts]), strict=True):
        assert "".join(part for part, _ in found.runs) == text


def test_the_page_keeps_texts_and_says_what_marks_mean():
    first, second = f"\n{CODE}", f"\n{CODE}".replace("== 0", "<= 1 < 2")
    page = Page(cards([completion(first), completion(second)], truth=None, hidden=None))
    assert page.open == []
    assert first in page.text
    assert second in page.text
    assert {"ins", "del"} <= page.names()
    assert "Crossed out: only in A. Underlined: only in the other." in page.text


def test_line_breaks_alone_get_a_sign():
    markup = cards([completion("a b c d"), completion("a b\n c d")], truth=None, hidden=None)
    assert '<ins class="breaks">\n</ins>' in markup


def test_long_equal_stretches_are_folded_and_counted():
    lines = "".join(f"line {number}\n" for number in range(100))
    markup = cards([completion(lines + "A"), completion(lines + "B")], truth=None, hidden=None)
    assert markup.count("… 94 equal lines …") == 3
    assert Page(markup).text.replace("… 94 equal lines …", "").count(lines) == 3


@given(st.text("a \n", max_size=1500) | st.text("ab ", min_size=900, max_size=1500))
@settings(deadline=None)
def test_folding_keeps_the_text(text):
    head, middle, tail = folded(text)
    assert head + middle + tail == text
    assert not middle or (head and tail)


def test_same_texts_are_not_folded():
    lines = "".join(f"line {number}\n" for number in range(100))
    assert "equal lines" not in cards([completion(lines), completion(lines)], truth=None, hidden=None)


def test_who_prefers_which_is_said():
    tied = [completion("a", human=1.0), completion("b", human=0.0), completion("c", human=None)]
    assert preference(tied, "human") == (
        "The reward is the same for A, B and C (1). The truth, human, prefers A (1) to B (0); it is missing for C."
    )
    ranked = [completion("a", 0.5), completion("b", 0.50001, best=False), completion("c", 0.1, best=False)]
    assert preference(ranked, None) == "The reward prefers B (0.50001) to A (0.5), then C (0.1)."


def hostile_pairs() -> list[tuple[str, str]]:
    rng = random.Random(0)

    def drawn(signs: str) -> str:
        return "".join(rng.choice(signs) for _ in range(4000))

    han = "".join(chr(0x4E00 + place) for place in range(100))
    alphabets = ["ab!", "(){}", "a\n", "! ", han, "()"]
    return [("ab " * 1333, "ba " * 1333), ("x" * 4000, "y" * 4000), ("a\n" * 2000, "\na" * 2000)] + [
        (drawn(signs), drawn(signs)) for signs in alphabets
    ]


@pytest.mark.parametrize("pair", hostile_pairs())
def test_the_worst_texts_are_compared_soon(pair):
    """Three comparisons a prompt, ten prompts: under three seconds."""
    start = time.process_time()
    cards([completion(text) for text in (*pair, pair[1] + "!", pair[0] + "?")], truth=None, hidden=None)
    assert time.process_time() - start < 1.0


def test_redacted_texts_show_neither_differences_nor_trees():
    result = redacted(copy.deepcopy(FULL))
    assert result["sample"]["prompts"]
    markup = prompts_section(result).body
    assert not {"ins", "del"} & Page(markup).names()
    assert 'class="tree"' not in markup
    assert markup.count("The texts are redacted, so neither") == len(result["prompts_to_look_at"])


def test_a_tie_of_the_audit_is_one_whatever_rounding_left():
    rounded = [completion("a", 0.1 + 0.2), completion("b", 0.3), completion("c", 0.1, best=False)]
    assert preference(rounded, None) == "The reward prefers A and B (0.3) to C (0.1)."
