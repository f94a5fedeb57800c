"""Behaviours by likeness, against SciPy's linkage and a brute force in fractions."""

import json
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from typer.testing import CliRunner

from policycliff import audit
from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.layout import layout_of
from policycliff.rollouts.questions.behaviours.exact_best import scorer_for
from policycliff.rollouts.questions.behaviours.question import behaviours
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import effective_reward_of, score
from policycliff.rollouts.settings import AuditSettings

ROOT = Path(__file__).parents[3]
CODE = ROOT / "src/policycliff/data/humaneval_codegen.parquet"
DATA = ROOT / "tests/data"


def random_table(seed, prompts=6, size=9, dimension=3):
    """Few distinct values, so that there are ties; vectors in clumps, so that there are joins."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(prompts):
        clumps = rng.normal(size=(3, dimension))
        for _ in range(int(rng.integers(2, size))):
            vector = clumps[rng.integers(3)] + 0.3 * rng.normal(size=dimension)
            text = f"text {rng.integers(12)}"
            rows.append((f"p{prompt}", text, vector.tolist(), float(rng.integers(0, 3)) / 10, float(rng.integers(2))))
    frame = pl.DataFrame(rows, schema=["prompt", "completion", "vector", "reward", "truth"], orient="row")
    # Equal texts have equal vectors, as a model would give them.
    return frame.with_columns(pl.col("vector").first().over("prompt", "completion"))


def cosine(a, b):
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def clusters_of(group, threshold, method="single"):
    """Cluster of each row of one prompt, by SciPy."""
    vectors = np.array(group["vector"].to_list())
    if len(vectors) == 1:
        return [1]
    distance = np.array([[1.0 - cosine(a, b) for b in vectors] for a in vectors])
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.maximum(distance, 0.0), checks=False), method)
    return fcluster(tree, 1.0 - threshold + 1e-6, "distance").tolist()


def brute_force(frame, threshold):
    """Behaviours, tied and consequential prompts, best set sizes and mixed prompts, in fractions."""
    found = {"behaviours": [], "tied": [], "matters": [], "best": [], "mixed": []}
    for group in frame.partition_by("prompt", maintain_order=True):
        if len(group) < 2:
            continue
        labels = clusters_of(group, threshold)
        rewards = {}
        for label, reward, truth in zip(labels, group["reward"], group["truth"], strict=True):
            rewards.setdefault(label, []).append((Fraction(repr(reward)), truth))
        means = {label: sum(r for r, _ in rows) / len(rows) for label, rows in rewards.items()}
        best = [label for label, mean in means.items() if mean == max(means.values())]
        truths = {np.mean([truth for _, truth in rewards[label]]).round(9) for label in best}
        found["behaviours"].append(len(means))
        found["tied"].append(len(best) > 1)
        found["matters"].append(len(best) > 1 and len(truths) > 1)
        found["best"].append(len(best))
        found["mixed"].append(any(len({r for r, _ in rows}) > 1 for rows in rewards.values()))
    return {key: float(np.mean(values)) for key, values in found.items()}


def figures_of(frame, **options):
    return behaviours(frame, rewards=["reward"], **options).to_dict()["figures"]


@pytest.mark.parametrize("seed", range(8))
def test_every_figure_is_that_of_scipy_and_fractions(seed):
    frame = random_table(seed)
    figures = figures_of(frame, embedding="vector", truth="truth", grid=(0.3, 1.0, 15))
    assert len(figures["points"]) == 15
    for point in figures["points"]:
        expected = brute_force(frame, point["threshold"])
        assert point["behaviours"]["value"] == pytest.approx(expected["behaviours"])
        assert point["tied_share"]["value"] == pytest.approx(expected["tied"])
        assert point["consequential_share"]["value"] == pytest.approx(expected["matters"])
        assert point["best_set_size"]["value"] == pytest.approx(expected["best"])
        assert point["mixed_share"]["value"] == pytest.approx(expected["mixed"])


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_is_chained_complete_linkage_agrees_and_only_there(seed):
    frame = random_table(seed, prompts=12)
    threshold = 0.8
    chained = figures_of(frame, embedding="vector", threshold=threshold)["chained_share"]
    groups = [group for group in frame.partition_by("prompt") if len(group) > 1]
    differ = 0
    for group in groups:
        pairs = list(combinations(range(len(group)), 2))
        single, complete = (clusters_of(group, threshold, method) for method in ("single", "complete"))
        differ += any((single[i] == single[j]) != (complete[i] == complete[j]) for i, j in pairs)
    assert (chained["count"], chained["total"]) == (differ, len(groups))


def test_the_file_written_gives_the_same_ties_to_the_audit(tmp_path):
    frame = random_table(3, prompts=20)
    out = tmp_path / "behaviours.parquet"
    figures = figures_of(frame, embedding="vector", truth="truth", threshold=0.85, out=out)
    written = pl.read_parquet(out)
    for group in written.partition_by("prompt", maintain_order=True):
        expected = clusters_of(group, 0.85)
        relabel = {label: number for number, label in enumerate(dict.fromkeys(expected), start=1)}
        assert group["behaviour"].to_list() == [relabel[label] for label in expected]
    result = audit(out).to_dict()
    assert result["rewards"]["reward"]["tied_share"] == figures["chosen"]["tied_share"]
    assert result["settings"]["columns"]["behaviour"]["column"] == "behaviour"
    assert figures["column"] == "behaviour"


def test_a_function_gives_what_a_column_gives_and_sees_each_text_once():
    frame = random_table(1).with_columns(completion=pl.format("{} {}", "prompt", "completion"))
    vectors = dict(zip(frame["completion"], frame["vector"], strict=True))
    seen = []

    def embed(texts):
        seen.extend(texts)
        return np.array([vectors[text] for text in texts])

    by_function = figures_of(frame, embed=embed, threshold=0.8)
    by_column = figures_of(frame, embedding="vector", threshold=0.8)
    assert sorted(seen) == sorted(set(frame["completion"]))
    assert {k: v for k, v in by_function.items() if k != "method"} == {
        k: v for k, v in by_column.items() if k != "method"
    }


def test_the_order_of_rows_and_the_length_of_vectors_do_not_matter():
    frame = random_table(5, prompts=10)
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=1).with_columns(pl.col("vector") * 7.5)
    first, second = (figures_of(item, embedding="vector", grid=(0.3, 0.99, 9)) for item in (frame, mixed))
    for one, other in zip(first["points"], second["points"], strict=True):
        for key in ("tied_share", "mixed_share", "merged_share"):
            assert one[key] == other[key]
        assert one["behaviours"]["value"] == pytest.approx(other["behaviours"]["value"])


def test_a_chain_and_a_tie_worked_out_by_hand():
    angles = np.deg2rad([0, 20, 40, 120])  # cos 20 = 0.94, cos 40 = 0.77, cos 80 = 0.17
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 4,
            "completion": list("abcd"),
            "vector": np.stack([np.cos(angles), np.sin(angles)], axis=1).tolist(),
            "reward": [0.1, 0.2, 0.3, 0.2],
        }
    )
    figures = figures_of(frame, embedding="vector", grid=(0.1, 0.95, 3), threshold=0.9)
    by_threshold = {point["threshold"]: point for point in figures["points"]}
    assert list(by_threshold) == [0.1, 0.525, 0.9, 0.95]
    assert [point["behaviours"]["value"] for point in by_threshold.values()] == [1.0, 2.0, 2.0, 4.0]
    # (0.1 + 0.2 + 0.3) / 3 is 0.2 exactly, and not so in floating point.
    assert [point["tied_share"]["count"] for point in by_threshold.values()] == [0, 1, 1, 0]
    assert figures["chained_share"]["count"] == 1
    assert figures["chained_weakest_median"] == pytest.approx(np.cos(angles[2]))
    assert figures["by_text"]["behaviours"]["value"] == 4.0


def test_jaccard_worked_out_by_hand():
    texts = ["The cat sat", "the cat sat", "the cat ran", "a - b", "a + b", "", "  ", "cat"]
    frame = pl.DataFrame({"prompt": ["p"] * 8, "completion": texts, "reward": [0.0] * 8})
    count = {
        (n, t): figures_of(frame, method="jaccard", ngram=n, threshold=t)["chosen"]["behaviours"]["value"]
        for n, t in [(1, 1.0), (2, 1.0), (1, 0.5), (2, 1 / 3), (2, 0.34), (1, 1 / 3), (9, 1.0)]
    }
    # Of two words a run: "the cat" is one of the three runs of both; "a -" and "a +" have nothing in common.
    assert count == {
        (1, 1.0): 6.0,  # the first two are one, and the two without a word
        (2, 1.0): 6.0,
        (1, 0.5): 4.0,  # {the, cat, sat} and {the, cat, ran}: 2 of 4; {a, -, b} and {a, +, b}: 2 of 4
        (2, 1 / 3): 5.0,  # {the cat, cat sat} and {the cat, cat ran}: 1 of 3
        (2, 0.34): 6.0,
        (1, 1 / 3): 3.0,  # {cat} and {the, cat, sat}: 1 of 3
        (9, 1.0): 6.0,  # shorter texts are one run
    }


@pytest.mark.parametrize("seed", range(4))
def test_jaccard_is_that_of_sets_of_words(seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(list("abcd"), size=rng.integers(1, 6))) for _ in range(40)]
    frame = pl.DataFrame({"prompt": [f"p{i % 5}" for i in range(40)], "completion": texts, "reward": rng.random(40)})
    point = figures_of(frame, method="jaccard", ngram=1, threshold=0.6)["chosen"]
    counts = []
    for group in frame.partition_by("prompt"):
        sets = list({frozenset(text.split()) for text in group["completion"]})
        joined = np.eye(len(sets), dtype=bool)
        for i, j in combinations(range(len(sets)), 2):
            joined[i, j] = joined[j, i] = len(sets[i] & sets[j]) >= Fraction(6, 10) * len(sets[i] | sets[j])
        for _ in sets:
            joined = (joined.astype(int) @ joined.astype(int)) > 0
        counts.append(len({tuple(row) for row in joined}))
    assert point["behaviours"]["value"] == pytest.approx(np.mean(counts))


@pytest.mark.parametrize("seed", range(6))
def test_quick_scores_decide_as_the_audit_does(seed):
    """Thirds as decimals, weights, penalties and missing components: where rounding makes or breaks ties."""
    rng = np.random.default_rng(seed)
    values = np.array([0.0, 1.0, 1 / 3, 2 / 3, np.nan])
    frame = pl.DataFrame(
        {
            "prompt": np.sort(rng.integers(0, 40, 400)).astype(str),
            "completion": rng.integers(0, 5, 400).astype(str),
            "first": rng.choice(values, 400),
            "second": rng.choice([0.0, 0.3, np.nan], 400),
        }
    )
    for missing in ("omit", "zero"):
        settings = AuditSettings(rewards=(("first", 0.7), ("second", -0.1)), missing=missing)
        table = load_rollouts(frame, settings).table
        reward = effective_reward_of(table, dict(settings.rewards), settings)
        layout = layout_of(table, reward.usable)
        expected, found = score(reward, layout), scorer_for(reward, table)(layout)
        assert expected.is_tied.any()
        assert (found.best == expected.best).all()
        for name in ("best_value", "next_value"):
            assert np.allclose(getattr(found, name), getattr(expected, name), rtol=1e-15, atol=1e-16)


def test_agreement_with_a_known_column_is_f1_over_pairs():
    frame = random_table(2, prompts=5).with_columns(known=pl.col("completion").str.slice(-1))
    figures = figures_of(frame, embedding="vector", threshold=0.8, behaviour="known")
    point, values, as_one = figures["chosen"], [], []
    for group in frame.partition_by("prompt"):
        labels, known = clusters_of(group, 0.8), group["known"].to_list()
        pairs = list(combinations(range(len(group)), 2))
        if not pairs:
            continue
        a = {(i, j) for i, j in pairs if labels[i] == labels[j]}
        b = {(i, j) for i, j in pairs if known[i] == known[j]}
        values.append(2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0)
        as_one.append(2 * len(b) / (len(pairs) + len(b)))
    assert figures["agreement_as_one"]["value"] == pytest.approx(np.mean(as_one))
    assert point["agreement"]["value"] == pytest.approx(np.mean(values))


def test_missing_scores_and_missing_vectors_are_counted():
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 4 + ["q"] * 2,
            "completion": ["a", "b", "c", "d", "a", "b"],
            "vector": [[1.0, 0.0], [1.0, 0.1], None, [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]],
            "reward": [1.0, 1.0, 1.0, 1.0, None, 1.0],
        }
    )
    answer = behaviours(frame, embedding="vector", threshold=0.9, rewards=["reward"]).to_dict()
    figures = answer["figures"]
    assert figures["vectors"]["missing"] == 2
    assert figures["prompts"] == 1
    assert figures["chosen"]["behaviours"]["value"] == 3.0
    assert any("2 of 5 texts have no usable vector" in item["text"] for item in answer["findings"])
    assert {"reason": "no usable score in any reward column", "count": 1, "unit": "rows"} in answer["settings"][
        "skipped"
    ]


def test_rows_of_one_text_with_other_vectors_are_told():
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 3,
            "completion": ["a", "a", "b"],
            "vector": [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]],
            "reward": [1.0, 1.0, 0.0],
        }
    )
    figures = figures_of(frame, embedding="vector", threshold=0.9)
    assert figures["vectors"]["differing"] == 1
    assert figures["chosen"]["behaviours"]["value"] == 2.0


TINY = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "reward": [1.0, 0.0], "vector": [[1.0], [2.0]]})


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (TINY, {}, "none is given"),
        (TINY, {"method": "jaccard", "embedding": "vector"}, "2 is given"),
        (TINY, {"method": "cosine"}, "no method 'cosine'"),
        (TINY, {"method": "jaccard", "ngram": 0}, "ngram must be"),
        (TINY, {"method": "jaccard", "threshold": 0.0}, "threshold must be"),
        (TINY, {"method": "jaccard", "threshold": float("nan")}, "threshold must be"),
        (TINY, {"method": "jaccard", "grid": (0.9, 0.5, 5)}, "grid must be"),
        (TINY, {"method": "jaccard", "out": "x.csv"}, "ends in .parquet"),
        (TINY, {"method": "jaccard", "out": "x.parquet", "sample": 1}, "needs every prompt"),
        (TINY, {"embedding": "vectro"}, "no column 'vectro' \\(embedding\\). Did you mean 'vector'"),
        (TINY, {"embedding": "completion"}, "not lists of numbers"),
        (TINY, {"embed": lambda texts: np.zeros(3)}, "one row of numbers for each of 2 texts"),
        (TINY.drop("completion"), {"method": "jaccard"}, "no completion column"),
        (TINY.with_columns(completion=pl.lit("a")), {"method": "jaccard"}, "one distinct completion only"),
        (TINY.with_columns(vector=pl.Series([[1.0], [1.0, 2.0]])), {"embedding": "vector"}, "row 2 .* has 2 numbers"),
        (TINY.with_columns(vector=pl.Series([[0.0], [0.0]])), {"embedding": "vector"}, "no usable vector"),
        (TINY, {"method": "jaccard", "rewards": {"reward": 0.0}}, "weight 0"),
    ],
)
def test_bad_input_is_refused_with_a_reason(frame, options, message):
    with pytest.raises((InvalidInputError, TableError), match=message):
        behaviours(frame, **options)


@pytest.mark.parametrize("name", ["math_rm", "topical_chat_ratings", "gsm8k_solutions_60"])
def test_real_tables(name):
    frame = pl.read_parquet(DATA / f"{name}.parquet")
    reward = {"math_rm": "correct", "gsm8k_solutions_60": "correct"}.get(name, "human_overall")
    options = {"rewards": [reward]}
    result = behaviours(frame, method="jaccard", **options).to_dict()
    figures = result["figures"]
    counts = [point["behaviours"]["value"] for point in figures["points"]]
    assert counts == sorted(counts)
    assert counts[-1] <= figures["by_text"]["behaviours"]["value"]
    chosen = audit(frame, **options).to_dict()["rewards"]["effective"]["tied_share"]
    assert figures["by_text"]["tied_share"] == chosen
    json.dumps(result, allow_nan=False)


def test_the_command_end_to_end(tmp_path):
    page, out = tmp_path / "page.html", tmp_path / "out.parquet"
    base = ["behaviours", str(CODE), "--reward", "generated_tests_pass_rate", "--truth", "hidden_tests_passed"]
    base += ["--method", "jaccard", "--threshold", "0.9"]
    result = CliRunner().invoke(app, [*base, "--html", str(page), "--out", str(out), "--json", "-", "--quiet"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert figures["threshold"] == 0.9
    assert figures["by_text"]["tied_share"]["count"] == 80
    assert "Pairs at the threshold" in page.read_text(encoding="utf-8")
    again = audit(out).to_dict()["rewards"]["effective"]["tied_share"]
    assert again == figures["chosen"]["tied_share"]
    shown = CliRunner().invoke(app, [*base, "--grid", "0.8:1:3"])
    assert shown.exit_code == 0, shown.output
    assert "Counted as one from a similarity of 0.9" in " ".join(shown.output.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grid", "0.5"], "--grid must be LOW:HIGH:POINTS"),
        (["--model", "no/such/folder"], "Nothing is downloaded"),
        ([], "--method jaccard"),
    ],
)
def test_the_command_refuses_in_one_line(options, message):
    arguments = ["behaviours", str(DATA / "math_rm.parquet"), "--reward", "correct", *options]
    result = CliRunner().invoke(app, arguments if "--grid" not in options else [*arguments, "--method", "jaccard"])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
