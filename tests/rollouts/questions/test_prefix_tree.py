"""`prefix-tree` against a tree of dictionaries in plain Python, with fractions; invariances; lists of every kind."""

import json
import random
from collections import defaultdict
from fractions import Fraction
from itertools import accumulate

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.questions.prefix_tree.examples import BEGINNING, ENDS
from policycliff.rollouts.questions.prefix_tree.figures import DEPTHS, first_depth
from policycliff.rollouts.questions.prefix_tree.losses import lost_at
from policycliff.rollouts.questions.prefix_tree.question import prefix_tree
from policycliff.rollouts.questions.prefix_tree.traces import Pieces, traces_of
from policycliff.rollouts.questions.prefix_tree.tree import prefix_tree_of, sorted_traces
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import column_reward

DONE = "end"


def frame_of(rows):
    """Rows of (prompt, tokens, reward in tenths)."""
    return pl.DataFrame(
        {
            "prompt": [f"p{prompt}" for prompt, _, _ in rows],
            "ids": [list(tokens) for _, tokens, _ in rows],
            "reward": [None if reward is None else reward / 10 for _, _, reward in rows],
        },
        schema_overrides={"ids": pl.List(pl.Int64), "reward": pl.Float64},
    )


def tree_of(frame):
    loaded = load_rollouts(frame, settings_from_options({"rewards": ["reward"]}))
    traces = traces_of(loaded.table, Pieces(tokens="ids"), {"tokens": frame["ids"]})
    reward = column_reward("reward", loaded.table.rewards[0].scores)
    return loaded, prefix_tree_of(sorted_traces(loaded.table, traces, reward.usable), reward)


def oracle(rows):
    """For each prompt with two scored completions: everything about its tree, from all prefixes of all traces."""
    prompts = defaultdict(lambda: defaultdict(list))
    for prompt, tokens, reward in rows:
        if reward is not None:
            prompts[f"p{prompt}"][tuple(tokens)].append(Fraction(reward, 10))
    kept = {name: draws for name, draws in prompts.items() if sum(map(len, draws.values())) > 1}
    return {name: _of_prompt(draws) for name, draws in kept.items()}


def _of_prompt(draws):
    value = {trace: sum(rewards) / len(rewards) for trace, rewards in draws.items()}
    best = max(value.values())
    prefixes = {trace[:depth] for trace in value for depth in range(len(trace) + 1)}
    actions = {prefix: defaultdict(list) for prefix in prefixes}
    for trace, mean in value.items():
        for depth in range(len(trace) + 1):
            actions[trace[:depth]][trace[depth] if depth < len(trace) else DONE].append(mean)
    q = {prefix: {action: max(below) for action, below in found.items()} for prefix, found in actions.items()}
    tied = [trace for trace in value if value[trace] == best]
    on_best = {trace[:depth] for trace in tied for depth in range(len(trace) + 1)}
    n = sum(map(len, draws.values()))
    lost = defaultdict(Fraction)
    for trace, rewards in draws.items():
        if value[trace] < best:
            shared = max(len(prefix) for prefix in on_best if trace[: len(prefix)] == prefix)
            lost[trace[:shared]] += len(rewards) * (best - value[trace]) / n
    return {
        "q": q,
        "best": best,
        "tied": tied,
        "partings": [p for p in on_best if sum(v == best for v in q[p].values()) > 1],
        "decisions": [p for p in on_best if min(q[p].values()) < best],
        "lost": dict(lost),
        "mean": sum(map(sum, draws.values())) / n,
        "values": value,
        "draws": {trace: len(rewards) for trace, rewards in draws.items()},
        "prefixes": prefixes,
    }


rows_of_tables = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.lists(st.integers(0, 2), max_size=4),
        st.one_of(st.integers(-3, 3), st.integers(0, 1).map(lambda x: 10 * x), st.none()),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=60)
@given(rows_of_tables)
def test_values_at_every_prefix(rows):
    expected = oracle(rows)
    if not expected:
        return
    loaded, tree = tree_of(frame_of(rows))
    layout, nodes = tree.scored.layout, tree.nodes
    names = loaded.table.frame["__prompt_id"]
    tokens = frame_of(rows)["ids"].to_list()
    trace_of_row = [tuple(tokens[i]) for i in loaded.table.row_index[layout.rows]]
    traces = [trace_of_row[i] for i in layout.draw_offsets[:-1]]
    owners = [names[int(layout.rows[i])] for i in layout.draw_offsets[:-1]]
    assert set(owners) == set(expected)
    for name, found in expected.items():
        mine = [i for i, owner in enumerate(owners) if owner == name]
        assert len(mine) == len(found["values"])
        values = {traces[i]: tree.scored.values[i] for i in mine}
        assert values == pytest.approx({t: float(v) for t, v in found["values"].items()})
        assert sorted(traces[i] for i in mine if tree.scored.best[i]) == sorted(found["tied"])
    seen, means, lost = {}, tree.mean_below(), lost_at(tree)
    for k in range(len(nodes.depth)):
        name, prefix = owners[nodes.first[k]], traces[nodes.first[k]][: nodes.depth[k]]
        found = expected[name]
        below = [traces[i] for i in range(nodes.first[k], nodes.last[k])]
        assert set(below) == {t for t in found["values"] if t[: len(prefix)] == prefix}
        q = sorted(found["q"][prefix].values(), reverse=True)
        assert nodes.best[k] == pytest.approx(float(q[0]))
        assert nodes.actions[k] == len(q)
        assert nodes.best_actions[k] == q.count(q[0])
        worse = [v for v in q if v < q[0]]
        assert nodes.worse[k] == pytest.approx(float(worse[0]) if worse else -np.inf)
        weight = sum(found["draws"][t] for t in below)
        assert means[k] == pytest.approx(float(sum(found["values"][t] * found["draws"][t] for t in below) / weight))
        assert lost[k] == pytest.approx(float(found["lost"].get(prefix, 0)))
        seen[name, prefix] = k
    branching = {(name, p) for name, found in expected.items() for p in found["q"] if len(found["q"][p]) > 1}
    assert set(seen) == branching
    for found in expected.values():
        assert float(sum(found["lost"].values())) == pytest.approx(float(found["best"] - found["mean"]))


def figures_of(frame, **options):
    return prefix_tree(frame, **{"tokens": "ids", "rewards": ["reward"], **options}).to_dict()["figures"]


@settings(max_examples=30)
@given(rows_of_tables)
def test_figures(rows):
    expected = oracle(rows)
    if not expected:
        return
    prompts = list(expected.values())
    figures = figures_of(frame_of(rows))["tree"]
    tied = [found for found in prompts if len(found["tied"]) > 1]
    assert figures["prompts"] == len(prompts)
    assert figures["prefixes"] == sum(len(found["prefixes"]) for found in prompts)
    assert (figures["several_share"]["count"], figures["several_share"]["total"]) == (len(tied), len(prompts))
    for key, name in (("optimal_traces", "tied"), ("partings", "partings"), ("decisions", "decisions")):
        assert figures[key]["value"] == pytest.approx(np.mean([len(found[name]) for found in prompts]))
    firsts = [min(map(len, found["partings"])) for found in tied]
    lengths = [np.mean([len(trace) for trace in found["tied"]]) for found in tied]
    relative = [first / length for first, length in zip(firsts, lengths, strict=True)]
    if tied:
        assert figures["first_parting_depth"]["value"] == pytest.approx(np.mean(firsts))
        assert figures["first_parting_relative"]["value"] == pytest.approx(np.mean(relative))
        assert figures["parted_at_start_share"]["count"] == firsts.count(0)
        ends = [any(len(t) == first for t in found["tied"]) for found, first in zip(tied, firsts, strict=True)]
        assert figures["parted_by_ending_share"]["count"] == sum(ends)
        commonest = []
        for found, first in zip(tied, firsts, strict=True):
            ways = defaultdict(int)
            for trace in found["tied"]:
                ways[trace[first : first + 1]] += found["draws"][trace]
            commonest.append(max(ways.values()) / sum(ways.values()))
        assert figures["commonest_way_share"]["value"] == pytest.approx(np.mean(commonest))
    losing = [found for found in prompts if found["lost"]]
    for point in figures["curve"]:
        assert point["parted"]["count"] == sum(x <= point["depth"] + 1e-12 for x in relative)
        if losing:
            assert point["lost"]["value"] == pytest.approx(np.mean([lost_by(x, point["depth"]) for x in losing]))
    gaps = [found["best"] - max(v for v in found["values"].values() if v < found["best"])
            for found in prompts if len(found["tied"]) == 1 < len(found["values"])]  # fmt: skip
    if gaps:
        assert figures["radius"]["unique_min"] == pytest.approx(float(min(gaps) / 2))


def lost_by(found, depth):
    """Share of a prompt's loss whose completions have left every best trace within this share of their length."""
    on_best = {trace[:k] for trace in found["tied"] for k in range(len(trace) + 1)}
    gone = total = Fraction(0)
    for trace, value in found["values"].items():
        loss = found["draws"][trace] * (found["best"] - value)
        shared = max(k for k in range(len(trace) + 1) if trace[:k] in on_best)
        total += loss
        gone += loss if shared <= depth * max(len(trace), 1) + 1e-12 else 0
    return float(gone / total)


def test_curve_rises_to_all():
    rng = random.Random(5)
    rows = [(i % 7, [rng.randrange(2) for _ in range(rng.randrange(9))], rng.choice([0, 10])) for i in range(90)]
    curve = figures_of(frame_of(rows))["tree"]["curve"]
    assert [point["depth"] for point in curve] == list(DEPTHS)
    for key in ("parted", "lost"):
        values = [point[key]["value"] for point in curve]
        assert list(accumulate(values, max)) == pytest.approx(values)
        assert values[-1] == pytest.approx(1.0)


def test_by_hand():
    rows = [(0, [1, 2, 3], 10), (0, [1, 2, 4], 10), (0, [1, 2], 10), (0, [1, 5], 4), (0, [6], 0), (0, [6], 2)]
    answer = prefix_tree(frame_of(rows), tokens="ids", rewards=["reward"])
    tree = answer.to_dict()["figures"]["tree"]
    # Best: three traces, parting behind [1, 2], where one ends; the others leave at [1] and at the beginning.
    assert tree["optimal_traces"]["value"] == 3
    assert tree["first_parting_depth"]["value"] == 2
    assert tree["first_parting_relative"]["value"] == pytest.approx(2 / (8 / 3))
    assert (tree["partings"]["value"], tree["decisions"]["value"]) == (1, 2)
    assert tree["parted_by_ending_share"]["value"] == 1
    assert tree["prefixes"] == 7
    tied, losing = answer.to_dict()["figures"]["tied_examples"], answer.to_dict()["figures"]["losing_examples"]
    assert (tied[0]["after"], {tied[0]["one"], tied[0]["other"]}) == ("1 2", {"3", ENDS})
    # At the beginning two completions of mean 0.1 are lost: 2 * 0.9 / 6.
    assert losing[0]["lost"] == pytest.approx(0.3)
    assert losing[0]["gap"] == pytest.approx(0.9)
    assert (losing[0]["after"], losing[0]["one"], losing[0]["other"]) == (BEGINNING, "1 2", "6")
    assert (losing[0]["completions_one"], losing[0]["completions_other"]) == (4, 2)


def test_means_of_draws_tie_exactly():
    # 0.1, 0.2 and 0.3 have the mean 0.2, which their floating-point sum divided by 3 misses.
    rows = [(0, [1], 1), (0, [1], 2), (0, [1], 3), (0, [2], 2)]
    assert figures_of(frame_of(rows))["tree"]["several_share"]["value"] == 1.0


@settings(max_examples=15)
@given(rows_of_tables, st.randoms(use_true_random=False))
def test_invariances(rows, rng):
    """Order of rows, names of tokens, and a positive scale change no place; the radius scales."""
    if not oracle(rows):
        return
    first = figures_of(frame_of(rows))["tree"]
    other = list(rows)
    rng.shuffle(other)
    renamed = frame_of([(p, [7 - t for t in tokens], None if r is None else 2 * r) for p, tokens, r in other])
    second = figures_of(renamed.with_columns(pl.col("ids").cast(pl.List(pl.String))))["tree"]
    for key in ("several_share", "partings", "decisions", "first_parting_depth", "commonest_way_share"):
        assert second[key]["value"] == pytest.approx(first[key]["value"]) if first[key]["value"] is not None else True
    assert second["prefixes"] == first["prefixes"]
    for one, two in zip(first["curve"], second["curve"], strict=True):
        assert two["lost"]["value"] == (None if one["lost"]["value"] is None else pytest.approx(one["lost"]["value"]))
    if first["radius"]["unique_min"] is not None:
        assert second["radius"]["unique_min"] == pytest.approx(2 * first["radius"]["unique_min"])


def test_lists_of_every_kind_are_one_tree():
    rng = random.Random(1)
    rows = [(i % 5, [rng.randrange(3) for _ in range(rng.randrange(6))], rng.choice([0, 5, 10])) for i in range(60)]
    frame = frame_of(rows)
    expected = figures_of(frame)["tree"]
    words = frame.with_columns(ids=pl.col("ids").list.eval("w" + pl.element().cast(pl.String)))
    text = frame.with_columns(ids=pl.Series([json.dumps(tokens) for _, tokens, _ in rows]))
    texts = words.with_columns(ids=pl.Series([json.dumps([f"w{t}" for t in tokens]) for _, tokens, _ in rows]))
    for other in (words, text, texts):
        assert figures_of(other)["tree"] == expected
    assert figures_of(words, tokens=None, steps="ids")["tree"] == expected
    spelled = frame.with_columns(completion=pl.Series([" ".join(map(str, tokens)) for _, tokens, _ in rows]))
    assert figures_of(spelled, tokens=None)["tree"]["partings"] is not None
    letters = frame.with_columns(completion=pl.Series(["".join(map(str, tokens)) for _, tokens, _ in rows]))
    assert figures_of(letters, tokens=None, split="characters")["tree"] == expected
    piped = frame.with_columns(completion=pl.Series(["".join(f"{t}|" for t in tokens) for _, tokens, _ in rows]))
    assert figures_of(piped, tokens=None, split=r"\|")["tree"] == expected
    lines = frame.with_columns(completion=pl.Series(["".join(f"{t}\n" for t in tokens) for _, tokens, _ in rows]))
    assert figures_of(lines, tokens=None, split="lines")["tree"] == expected


@pytest.mark.parametrize("split", ["words", "lines", "characters", r"\.\s+", "a+|b"])
@given(text=st.text(alphabet="ab .\n\t\u00a0é", max_size=20))
@settings(max_examples=40)
def test_pieces_make_up_the_text(split, text):
    frame = pl.DataFrame({"prompt": ["p", "p"], "completion": [text, "a"], "reward": [0.0, 1.0]})
    loaded = load_rollouts(frame, settings_from_options({"rewards": ["reward"]}))
    traces = traces_of(loaded.table, Pieces(split=split), {})
    row = int(np.flatnonzero(loaded.table.row_index == 0)[0])
    assert traces.text(row, 0, int(traces.lists.lengths[row])) == text


def test_what_is_left_out_is_counted():
    frame = frame_of([(0, [1], 10), (0, [2], 0), (0, [3], 0), (1, [1], 10), (1, [2], 0), (2, [1], None), (2, [2], 5)])
    frame = frame.with_columns(ids=pl.Series([[1], [2], None, [1, None], [2], [1], [2]]))
    result = prefix_tree(frame, tokens="ids", rewards=["reward"]).to_dict()
    assert result["figures"]["tree"]["completions"] == 2
    told = {item["reason"]: (item["count"], item["unit"]) for item in result["settings"]["skipped"]}
    assert told["no usable trace (missing, or a missing piece)"] == (2, "rows")
    assert told["no usable score in any reward column"] == (1, "rows")
    assert told["fewer than two usable completions"] == (2, "prompts")


@pytest.mark.parametrize(
    ("columns", "options", "kind", "message"),
    [
        ({}, {"tokens": "idz"}, TableError, "no column 'idz' \\(tokens\\)"),
        ({"ids": [1, 2]}, {"tokens": "ids"}, TableError, "holds Int64, not lists"),
        ({"ids": ["[1]", "{"]}, {"tokens": "ids"}, TableError, "no JSON list in row 2"),
        ({"ids": ["[1]", '["a"]']}, {"tokens": "ids"}, TableError, "mixes kinds in its lists \\(int, str\\)"),
        ({"ids": [f"[{2**70}]", "[1]"]}, {"tokens": "ids"}, TableError, "does not fit 64 bits"),
        ({"ids": [None, None]}, {"tokens": "ids"}, TableError, "no prompt has two completions with a list of tokens"),
        ({}, {"split": "("}, InvalidInputError, "is no regular expression"),
        ({}, {"split": "x*"}, InvalidInputError, "matches the empty text"),
        ({}, {"split": "words", "tokens": "ids"}, InvalidInputError, "tokens and split cannot be given together"),
        ({}, {"merge": "k", "step_rewards": "s"}, InvalidInputError, "step_rewards and merge cannot"),
        ({"k": [["a"], ["a", "b"]]}, {"merge": "k"}, TableError, "1 keys in row 1 .* has 2 words"),
        ({"s": [[1.0, 2.0], [1.0]]}, {"step_rewards": "s"}, TableError, "1 numbers in row 2 .* has 2 words"),
        ({"s": [["x", "y"], ["x", "y"]]}, {"step_rewards": "s"}, TableError, "lists of String, not of numbers"),
        ({}, {"rewards": {"reward": 0.0}}, InvalidInputError, "every reward has weight 0"),
    ],
)
def test_bad_input(columns, options, kind, message):
    base = {"prompt": ["p", "p"], "completion": ["so a", "so b"], "reward": [0.0, 1.0]}
    with pytest.raises(kind, match=message):
        prefix_tree(pl.DataFrame(base | columns), **({"rewards": ["reward"]} | options))


def test_without_a_text_to_split():
    frame = pl.DataFrame({"prompt": ["p", "p"], "reward": [0.0, 1.0]})
    with pytest.raises(TableError, match="no completion column to split"):
        prefix_tree(frame, rewards=["reward"])


def test_truth_of_tied_texts():
    frame = frame_of([(0, [1], 10), (0, [2], 10), (1, [1], 10), (1, [2], 10), (2, [1], 10), (2, [2], 0)])
    frame = frame.with_columns(truth=pl.Series([1.0, 0.0, 1.0, None, 0.0, 1.0]))
    figures = figures_of(frame, truth="truth")
    differs = figures["tree"]["truth_differs_share"]
    assert (differs["count"], differs["total"]) == (1, 2)
    found = {item["prompt"]: (item["truth_one"], item["truth_other"]) for item in figures["tied_examples"]}
    assert list(found) == ["p0", "p1"]
    assert found == {"p0": (1.0, 0.0), "p1": (1.0, None)}


def test_first_depth_is_not_known_without_a_tie():
    _, tree = tree_of(frame_of([(0, [1], 10), (0, [2], 0), (1, [1, 2], 5), (1, [1, 3], 5)]))
    assert np.isnan(first_depth(tree)[0])
    assert first_depth(tree)[1] == 1
