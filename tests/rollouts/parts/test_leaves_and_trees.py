"""Figures that add up: any cut of the prompts gives the figures of them all."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policycliff.rollouts.intervals import MOST_UNITS, condensed, finished, mean_over, n_units, share, unit_of_prompts
from policycliff.rollouts.leaves import (
    After,
    Figure,
    Nothing,
    counts,
    every,
    greatest,
    least,
    median_or_none,
    tally,
    total,
)
from policycliff.rollouts.parts.parts import number_groups
from policycliff.rollouts.parts.spill import spilled
from policycliff.rollouts.trees import finished_figures, merge

VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.1000001, 3.0, -2.0, 1e6, float("nan")]), min_size=1, max_size=30)


def cut(draw_from, length, parts):
    """Which part each of so many things is in."""
    return np.array(draw_from.draw(st.lists(st.integers(0, parts - 1), min_size=length, max_size=length)))


def merged(trees):
    tree = trees[0]
    for other in trees[1:]:
        tree = merge(tree, other)
    return tree


def leaves(values):
    known = values[np.isfinite(values)]
    return {
        "total": total(len(values)),
        "sum": total(float(known.sum())),
        "least": least(known),
        "greatest": greatest(known),
        "median": every(known, median_or_none),
        "sizes": tally({float(value): int((known == value).sum()) for value in np.unique(known)}, _ordered),
        "bins": counts(np.histogram(known, bins=5, range=(-2.0, 1e6))[0]),
        "nested": [After(_twice, {"n": total(len(known))})],
    }


def _ordered(found):
    return sorted(found.items())


def _twice(found):
    return 2 * found["n"]


@given(VALUES, st.integers(1, 7), st.data())
def test_leaves_of_any_cut_add_up_to_those_of_the_whole(values, parts, data):
    array, part = np.array(values), cut(data, len(values), parts)
    found = finished_figures(merged([leaves(array[part == number]) for number in range(parts)]))
    whole = finished_figures(leaves(array))
    assert found.pop("sum") == pytest.approx(whole.pop("sum"), rel=1e-12, abs=1e-9)
    assert found == whole


@given(VALUES, st.integers(1, 7), st.integers(0, 3), st.booleans(), st.data())
def test_means_of_any_cut_have_the_value_and_the_interval_of_the_whole(values, parts, seed, bounded, data):
    array, part = np.array(values), cut(data, len(values), parts)
    units, limits = unit_of_prompts(len(array), seed), {"lowest": -2.0, "highest": 1e6} if bounded else {}

    def tree(prompts):
        mean = mean_over(prompts, array[prompts], **limits)
        return condensed({"mean": mean, "share": share(array[prompts] > 0)}, units, units=n_units(len(array)))

    cuts = merged([tree(np.flatnonzero(part == number)) for number in range(parts)])
    found = finished(cuts, n_prompts=len(array), seed=seed)
    whole = finished(tree(np.arange(len(array))), n_prompts=len(array), seed=seed)
    assert found["share"] == whole["share"]
    for key, value in whole["mean"].items():
        assert found["mean"][key] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9))


def test_the_interval_is_a_direct_bootstrap_over_the_union():
    """Resamples drawn again here, prompt by prompt, from the values themselves."""
    rng = np.random.default_rng(3)
    values, n, seed = rng.normal(100.0, 1.0, size=60), 60, 5
    part = rng.integers(0, 4, size=n)
    units = unit_of_prompts(n, seed)
    trees = [condensed(mean_over(np.flatnonzero(part == k), values[part == k]), units, units=n) for k in range(4)]
    found = finished(merged(trees), n_prompts=n, seed=seed)
    again = np.random.default_rng(seed)
    by_unit = np.empty(n)
    by_unit[again.permutation(n) % n] = values
    means = [by_unit[row].mean() for row in again.integers(0, n, size=(1000, n))]
    assert found["value"] == pytest.approx(values.mean(), rel=1e-12)
    assert found["low"] == pytest.approx(np.quantile(means, 0.025), rel=1e-12)
    assert found["high"] == pytest.approx(np.quantile(means, 0.975), rel=1e-12)


def test_sums_of_nearly_equal_large_values_keep_their_digits():
    n = 3 * MOST_UNITS
    values = 1e9 + np.random.default_rng(0).normal(size=n)
    units = unit_of_prompts(n, 0)
    half = [np.arange(n // 3), np.arange(n // 3, n)]
    trees = [condensed(mean_over(prompts, values[prompts]), units, units=n_units(n)) for prompts in half]
    found = finished(merged(trees), n_prompts=n, seed=0)
    whole = finished(condensed(mean_over(np.arange(n), values), units, units=n_units(n)), n_prompts=n, seed=0)
    assert found["high"] - found["low"] == pytest.approx(whole["high"] - whole["low"], rel=1e-3)


def test_a_part_without_values_still_says_what_range_a_mean_has():
    """The ends of the range are known of all prompts, also where none of them is averaged."""
    units = unit_of_prompts(2, 0)
    nothing = mean_over(np.zeros(0, dtype=np.int64), np.zeros(0), lowest=-7.0, highest=9.0)
    one = mean_over(np.array([0]), np.array([1.0]), lowest=1.0, highest=1.0)
    trees = [condensed(item, units, units=2) for item in (nothing, one)]
    for pair in (trees, trees[::-1]):
        found = merge(*pair)
        assert (found.lowest, found.highest, found.centre, found.count) == (-7.0, 9.0, 1.0, 1)


def test_a_part_without_values_and_without_a_range_says_nothing_of_it():
    units = unit_of_prompts(2, 0)
    trees = [condensed(mean_over(np.arange(n), np.ones(n)), units, units=2) for n in (0, 1)]
    assert (merge(*trees).lowest, merge(*trees).highest) == (1.0, 1.0)


def test_nothing_gives_way_to_something_and_stands_alone_otherwise():
    something, nothing = {"prompts": total(2)}, Nothing({"prompts": 0, "note": "none"})
    for pair in ((something, nothing), (nothing, something)):
        assert finished_figures(merge(*pair)) == {"prompts": 2}
    assert finished_figures(merge(nothing, nothing)) == {"prompts": 0, "note": "none"}
    inside = merge({"a": nothing, "b": total(1)}, {"a": After(_twice, {"n": total(3)}), "b": total(1)})
    assert finished_figures(inside) == {"a": 6, "b": 2}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, [1]),
        ([1], {"a": 1}),
        ([1, 2], [1]),
        ([1], 1),
        (1, 1.0),
        (True, 1),
        (total(1), 1),
        (1, total(1)),
        (total(1), share(np.array([True]))),
        (After(_twice, {"n": total(1)}), {"n": total(1)}),
        ({"n": total(1)}, After(_twice, {"n": total(1)})),
        (None, total(1)),
    ],
)
def test_trees_that_differ_are_refused(first, second):
    with pytest.raises(ValueError, match="two parts of a table differ"):
        merge(first, second)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 7))
def test_groups_are_numbered_by_their_first_row(sizes, parts):
    """Brute force: walk the rows of the table and count groups as they appear."""
    rng = np.random.default_rng(sum(sizes) + parts)
    first_rows = rng.permutation(100)[: len(sizes)]
    part = rng.integers(0, parts, size=len(sizes))
    held = [np.sort(first_rows[part == number]) for number in range(parts)]
    expected = {row: number for number, row in enumerate(sorted(first_rows))}
    found = number_groups([rows.astype(np.int64) for rows in held])
    assert [numbers.tolist() for numbers in found] == [[expected[row] for row in rows] for rows in held]


ARRAYS = {
    "long": np.arange(5000, dtype=np.float64),
    "short": np.arange(3, dtype=np.float64),
    "empty": np.zeros(0),
    "pairs": np.arange(4000.0).reshape(-1, 2),
    "turned": np.arange(20000.0).reshape(100, 200).T[::2],
    "whole": np.arange(5000, dtype=np.int64),
}


def test_spilled_leaves_read_back_exactly(tmp_path):
    tree = {name: every(array, np.asarray) for name, array in ARRAYS.items()} | {"n": total(3), "text": "as it is"}
    kept = spilled(tree, tmp_path / "figures")
    for name, array in ARRAYS.items():
        [chunk] = kept[name].state
        assert isinstance(chunk, np.memmap) == (array.nbytes >= 4096)
        np.testing.assert_array_equal(chunk, array)
        assert chunk.dtype == array.dtype
    both = finished_figures(merge(kept, spilled(tree, tmp_path / "more")))
    np.testing.assert_array_equal(both["pairs"], np.concatenate([ARRAYS["pairs"]] * 2))
    assert (both["n"], both["text"]) == (6, "as it is")


def test_frames_among_leaves_are_kept_as_they_are(tmp_path):
    frame = pl.DataFrame({"row": range(5000)})
    kept = spilled(Figure((frame,), tuple.__add__, len), tmp_path / "figures")
    assert kept.state[0] is frame
