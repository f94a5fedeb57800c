"""`estimators` against the formulas in plain Python, closed forms, invariances, bad input, real data, the command."""

import json
import math
import random
from collections import defaultdict
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.estimators.advantages import estimates
from policycliff.rollouts.questions.estimators.comparisons import collapse
from policycliff.rollouts.questions.estimators.question import estimators
from policycliff.rollouts.questions.estimators.ratios import ratios, subset_shares
from policycliff.rollouts.questions.estimators.sample import sample_of, scored_sum
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

DATA = Path(__file__).parents[2] / "data"
HUMANEVAL = str(files("policycliff.data") / "humaneval_codegen.parquet")
EPSILON = 1e-4


def std(values, *, centre=None):
    """Standard deviation with n - 1; the squares are summed exactly."""
    centre = sum(values, Fraction(0)) / len(values) if centre is None else centre
    return math.sqrt(sum((value - centre) ** 2 for value in values) / max(len(values) - 1, 1))


def oracle(rows, weights):
    """Advantages by the formulas. `rows`: (group, batch, scores as Fractions), every group with two rows or more."""
    totals = [sum(w * x for w, x in zip(weights, scores, strict=True)) for _, _, scores in rows]
    groups, batches = defaultdict(list), defaultdict(list)
    for position, (group, batch, _) in enumerate(rows):
        groups[group].append(position)
        batches[batch].append(position)
    result = {}
    mean = {g: sum(totals[i] for i in members) / len(members) for g, members in groups.items()}
    spread = {g: std([totals[i] for i in members]) for g, members in groups.items()}
    centred = [totals[i] - mean[g] for i, (g, _, _) in enumerate(rows)]
    result["grpo"] = [float(c) / (spread[g] + EPSILON) for c, (g, _, _) in zip(centred, rows, strict=True)]
    result["dr_grpo"] = [float(c) for c in centred]
    loo, loo_scaled = [], []
    for i, (g, _, _) in enumerate(rows):
        others = [totals[j] for j in groups[g] if j != i]
        loo.append(float(totals[i] - sum(others) / len(others)))
        flat = len(set(others)) == 1
        loo_scaled.append(loo[-1] if flat else loo[-1] / (std(others) + EPSILON))
    result["rloo"], result["loo_normalised"] = loo, loo_scaled
    of_batch = {b: [totals[i] for i in members] for b, members in batches.items()}
    result["batch"] = [float(c) / (std(of_batch[b]) + EPSILON) for c, (_, b, _) in zip(centred, rows, strict=True)]
    average = {b: sum(values) / len(values) for b, values in of_batch.items()}
    result["reinforce_pp"] = [
        float(t - average[b]) / math.sqrt(std(of_batch[b]) ** 2 + EPSILON**2)
        for t, (_, b, _) in zip(totals, rows, strict=True)
    ]
    spread_centred = {b: std([centred[i] for i in members]) for b, members in batches.items()}
    result["reinforce_pp_baseline"] = [
        float(c) / math.sqrt(spread_centred[b] ** 2 + EPSILON**2) for c, (_, b, _) in zip(centred, rows, strict=True)
    ]
    summed = [0.0] * len(rows)
    for k, weight in enumerate(weights):
        for members in groups.values():
            column = [rows[i][2][k] for i in members]
            centre, scale = sum(column) / len(column), std(column) + EPSILON
            for i in members:
                summed[i] += float(weight) * float(rows[i][2][k] - centre) / scale
    size = {b: std([summed[i] for i in members]) for b, members in batches.items()}
    middle = {b: sum(summed[i] for i in members) / len(members) for b, members in batches.items()}
    result["gdpo"] = [(s - middle[b]) / (size[b] + EPSILON) for s, (_, b, _) in zip(summed, rows, strict=True)]
    return result


def random_rows(seed, *, groups=12):
    """Groups of 2 to 7 in 3 batches, coarse scores so that ties and cancellations happen."""
    rng = random.Random(seed)
    rows = []
    for group in range(groups):
        shape = rng.choice(["mixed", "tied", "one differs", "cancels", "shaping"])
        for place in range(rng.randint(2, 7)):
            scores = [Fraction(rng.randint(0, 3), 10), Fraction(rng.randint(0, 2), 4)]
            if shape == "tied":
                scores = [Fraction(1, 10), Fraction(1, 2)]
            elif shape == "one differs":
                scores = [Fraction(int(place == 0), 10), Fraction(1, 4)]
            elif shape == "cancels":
                scores = [Fraction(place % 2, 5), Fraction(1 - place % 2, 2)]
            elif shape == "shaping":
                scores[0] = Fraction(3, 10)
            rows.append((group, group % 3, scores))
    rng.shuffle(rows)
    return rows


def frame_of(rows):
    return pl.DataFrame(
        {
            "prompt": [f"p{group}" for group, _, _ in rows],
            "completion": [str(position) for position in range(len(rows))],
            "batch": [f"b{batch}" for _, batch, _ in rows],
            "a": [float(scores[0]) for _, _, scores in rows],
            "b": [float(scores[1]) for _, _, scores in rows],
        }
    )


def computed(frame, weights, batch=None, **options):
    """The sample, and the advantages of each estimator in the order of the frame's rows."""
    loaded = load_rollouts(frame, AuditSettings(rewards=tuple(weights.items()), **options))
    scored = scored_sum(loaded)
    rows = loaded.table.row_index[scored.layout.rows]
    labels = np.zeros(len(frame), dtype=np.int64) if batch is None else frame[batch].rank("dense").to_numpy() - 1
    sample = sample_of(loaded, scored, labels.astype(np.int64)[rows])
    bases, found = estimates(sample, loaded.settings.epsilon)
    result = {key: np.full(len(frame), np.nan) for key in found}
    for key, estimate in found.items():
        result[key][rows] = estimate.advantage
    return sample, bases, result


@pytest.mark.parametrize("seed", range(25))
def test_every_estimator_follows_its_formula(seed):
    rows = random_rows(seed)
    weights = [Fraction(1), Fraction(2, 5)]  # 2 tenths of a cancel against a half of b
    expected = oracle(rows, weights)
    _, _, found = computed(frame_of(rows), {"a": 1.0, "b": 0.4}, "batch")
    assert set(found) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-9, atol=1e-11, err_msg=key)
        exact_zeros = [abs(value) < 1e-11 for value in values]
        assert (found[key] == 0.0).tolist() == exact_zeros, key


@pytest.mark.parametrize("seed", range(10))
def test_combinations_and_levels_are_counted_as_fractions_count_them(seed):
    rows = random_rows(seed)
    sample, bases, _ = computed(frame_of(rows), {"a": 1.0, "b": 0.4}, "batch")
    groups = defaultdict(list)
    for group, _, scores in rows:
        groups[group].append(tuple(scores))
    combinations = {group: set(values) for group, values in groups.items()}
    levels = {group: {a + Fraction(2, 5) * b for a, b in values} for group, values in combinations.items()}
    found = collapse(sample, bases, seed=0)
    assert found["combinations"] == sum(map(len, combinations.values()))
    assert found["of"]["sum"]["levels"] == sum(map(len, levels.values()))
    several = [group for group, values in combinations.items() if len(values) > 1]
    losing = [group for group in several if len(levels[group]) < len(combinations[group])]
    assert (found["of"]["sum"]["groups_that_lose"].count, found["groups_with_several"]) == (len(losing), len(several))


def figures_of(frame, **options):
    return estimators(frame, **options).to_dict()["figures"]


def test_shares_of_the_signal_are_those_of_the_squared_advantages():
    rows = random_rows(3, groups=30)
    frame = frame_of(rows)
    found = figures_of(frame, rewards={"a": 1.0, "b": 0.4}, main_reward="a", batch="batch")
    expected = oracle(rows, [Fraction(1), Fraction(2, 5)])
    groups = defaultdict(list)
    for position, (group, _, _) in enumerate(rows):
        groups[group].append(position)
    totals = [scores[0] + Fraction(2, 5) * scores[1] for _, _, scores in rows]
    tied = [g for g, members in groups.items() if len({totals[i] for i in members}) == 1]
    shaping = [g for g, m in groups.items() if g not in tied and len({rows[i][2][0] for i in m}) == 1]
    order = list(dict.fromkeys(group for group, _, _ in rows))  # groups stand in order of appearance
    half = sorted(order, key=lambda g: round(std([totals[i] for i in groups[g]]), 12))[: len(order) // 2]
    assert found["groups"]["tied"]["count"] == len(tied) > 0
    assert found["groups"]["shaping"]["count"] == len(shaping) > 0
    for key, values in expected.items():
        energy = {g: sum(values[i] ** 2 for i in members) for g, members in groups.items()}
        for name, subset in (("tied", tied), ("shaping", shaping)):
            share = found["estimators"][key]["signal"][name]
            assert share["value"] == pytest.approx(sum(energy[g] for g in subset) / sum(energy.values()), abs=1e-12)
            assert share["low"] <= share["value"] <= share["high"]
        curve = next(row for row in found["curve"] if row["groups"] == 0.5)
        assert curve[key] == pytest.approx(sum(energy[g] for g in half) / sum(energy.values()), abs=1e-12)
        item = found["estimators"][key]
        assert item["rms"] == pytest.approx(math.sqrt(sum(v * v for v in values) / len(values)))
        assert item["largest"] == pytest.approx(max(map(abs, values)))
        assert item["silent"]["count"] == sum(all(abs(values[i]) < 1e-11 for i in m) for m in groups.values())
        assert sum(part["value"] for part in item["components"].values()) == pytest.approx(1.0)


def test_signs_are_compared_group_by_group():
    rows = random_rows(5, groups=30)
    found = figures_of(frame_of(rows), rewards={"a": 1.0, "b": 0.4}, batch="batch")["estimators"]
    expected = oracle(rows, [Fraction(1), Fraction(2, 5)])
    for key in ("gdpo", "reinforce_pp"):
        by_group = defaultdict(list)
        for (group, _, _), *pair in zip(rows, expected["grpo"], expected[key], strict=True):
            mine, other = (0.0 if abs(value) < 1e-11 else value for value in pair)
            by_group[group].append((mine * other < 0, (mine == 0) != (other == 0)))
        for name, place in (("opposite", 0), ("only_one", 1)):
            mean = np.mean([np.mean([item[place] for item in items]) for items in by_group.values()])
            assert found[key]["against_grpo"][name]["value"] == pytest.approx(mean)
    assert [key for key, item in found.items() if item["against_grpo"] is None] == [
        *("grpo", "dr_grpo", "rloo", "batch", "reinforce_pp_baseline", "loo_normalised")
    ]


def test_gdpo_keeps_what_the_sum_collapses():
    # The paper's example: two binary rewards; (1, 0) and (0, 1) have one sum, and differ under GDPO where the rewards'
    # spreads differ.
    frame = pl.DataFrame({"prompt": ["p"] * 4, "x": [1.0, 0.0, 0.0, 0.0], "y": [0.0, 1.0, 1.0, 0.0]})
    found = figures_of(frame, rewards=["x", "y"])["collapse"]
    assert found["combinations"] == 3
    assert {name: item["levels"] for name, item in found["of"].items()} == {"sum": 2, "decoupled": 3}


def test_shift_and_scale():
    rows = random_rows(8)
    frame = frame_of(rows)
    _, _, plain = computed(frame, {"a": 1.0, "b": 0.5}, "batch", epsilon=1e-12)
    moved = frame.with_columns(a=3 * pl.col("a") + 7, b=3 * pl.col("b") - 2)
    _, _, other = computed(moved, {"a": 1.0, "b": 0.5}, "batch", epsilon=1e-12)
    for key in plain:
        factor = 3.0 if key in {"dr_grpo", "rloo"} else 1.0
        wanted = factor * plain[key]
        if key == "loo_normalised":  # what is not divided keeps the unit
            same = np.isclose(other[key], plain[key], atol=1e-9) | np.isclose(other[key], 3 * plain[key], atol=1e-9)
            assert same.all()
        else:
            np.testing.assert_allclose(other[key], wanted, rtol=1e-6, atol=1e-9, err_msg=key)


def test_noise_follows_its_closed_forms():
    rng = np.random.default_rng(1)
    size, groups, sigma = 5, 400, 0.03
    scores = rng.normal(size=groups * size)
    scores[: 100 * size] = 0.25
    frame = pl.DataFrame({"prompt": [f"p{row // size}" for row in range(len(scores))], "score": scores})
    items = figures_of(frame, rewards=["score"], noise=sigma)["estimators"]
    for key, change in (("dr_grpo", sigma * math.sqrt(1 - 1 / size)), ("rloo", sigma * math.sqrt(size / (size - 1)))):
        for part in ("overall", "tied"):
            figure = items[key]["noise"][part]
            unit = items[key]["rms"]
            assert figure["low"] - 0.002 <= change / unit <= figure["high"] + 0.002
            assert figure["value"] * unit == pytest.approx(change, rel=0.01)
    # A tied group becomes standardised noise: sum of squares (n - 1) (s / (s + epsilon))^2, whatever the noise.
    full = items["grpo"]["noise"]["tied"]["value"] * items["grpo"]["rms"]
    assert full == pytest.approx(math.sqrt(1 - 1 / size), rel=0.02)


def test_noise_of_several_rewards_adds_in_squares():
    rng = np.random.default_rng(2)
    frame = pl.DataFrame(
        {"prompt": np.repeat(np.arange(300), 4).astype(str), "x": rng.normal(size=1200), "y": rng.normal(size=1200)}
    )
    items = figures_of(frame, rewards={"x": 1.0, "y": -2.0}, noise={"x": 0.03, "y": 0.02})["estimators"]
    change = math.hypot(0.03, 2 * 0.02) * math.sqrt(3 / 4)
    assert items["dr_grpo"]["noise"]["overall"]["value"] * items["dr_grpo"]["rms"] == pytest.approx(change, rel=0.02)


def test_a_nearly_tied_group_weighs_as_much_as_any_under_grpo_and_nothing_under_dr_grpo():
    groups = [[0.0, 1.0, 0.0, 1.0]] * 9 + [[0.5, 0.5, 0.5, 0.501]]
    frame = pl.DataFrame({"prompt": [f"p{g}" for g, v in enumerate(groups) for _ in v], "score": np.ravel(groups)})
    found = figures_of(frame, rewards=["score"])
    assert found["groups"]["near"]["count"] == 1
    spread = np.std(groups[-1], ddof=1)
    near = 3 * (spread / (spread + EPSILON)) ** 2
    normal = 9 * 3 * (np.std(groups[0], ddof=1) / (np.std(groups[0], ddof=1) + EPSILON)) ** 2
    assert found["estimators"]["grpo"]["signal"]["near"]["value"] == pytest.approx(near / (near + normal))
    assert found["estimators"]["dr_grpo"]["signal"]["near"]["value"] < 1e-6
    assert found["estimators"]["grpo"]["gain"]["largest"] == pytest.approx(1 / (spread + EPSILON))
    assert found["estimators"]["grpo"]["gain"]["group"] == "p9"
    assert figures_of(frame, rewards=["score"], near=1e-4)["groups"]["near"]["count"] == 0
    assert figures_of(frame, rewards=["score"], noise=0.6)["groups"]["near"]["count"] == 10


def test_the_gain_of_gdpo_is_that_of_the_reward_that_differs_least():
    x, y = [0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.6]
    frame = pl.DataFrame({"prompt": ["p"] * 4 + ["q"] * 4, "x": x + x, "y": y + [0.2] * 4})
    found = figures_of(frame, rewards={"x": 1.0, "y": 2.0}, epsilon=0.1)["estimators"]["gdpo"]["gain"]
    normal = {name: (np.array(v) - np.mean(v)) / (np.std(v, ddof=1) + 0.1) for name, v in (("x", x), ("y", y))}
    summed = np.concatenate([normal["x"] + 2 * normal["y"], normal["x"]])
    scale = np.std(summed, ddof=1) + 0.1
    assert found["largest"] == pytest.approx(1 / (np.std(y, ddof=1) + 0.1) / scale)
    assert found["median"] == pytest.approx(np.mean([found["largest"], 1 / (np.std(x, ddof=1) + 0.1) / scale]))
    assert found["group"] == "p"


def test_all_tied_is_said():
    frame = pl.DataFrame({"prompt": ["p", "p", "q", "q"], "score": [1.0, 1.0, 0.0, 0.0]})
    answered = estimators(frame, rewards=["score"])
    assert answered.findings[0]["severity"] == "critical"
    assert "no signal" in answered.findings[0]["text"]
    items = answered.to_dict()["figures"]["estimators"]
    assert items["grpo"]["rms"] == 0.0
    assert items["reinforce_pp"]["tied_pushed"]["count"] == 2
    json.dumps(answered.to_dict(), allow_nan=False)


@pytest.mark.parametrize("fewest", [True, False])
def test_one_group_of_two(fewest):
    scores = [0.0, 1.0] if fewest else [0.0, 1.0, 1.0]
    answered = estimators(pl.DataFrame({"prompt": ["p"] * len(scores), "score": scores}), rewards=["score"])
    assert answered.to_dict()["figures"]["groups"]["total"] == 1


class TestBatches:
    frame = pl.DataFrame(
        {
            "prompt": [f"p{row // 2}" for row in range(12)],
            "step": [row // 6 for row in range(12)],
            "epoch": [row // 8 for row in range(12)],
            "score": [0.0, 1.0, 0.0, 3.0, 0.0, 2.0, 5.0, 1.0, 0.0, 9.0, 1.0, 4.0],
        }
    )

    def batch_rms(self, **options):
        return figures_of(self.frame, rewards=["score"], **options)

    def expected(self, blocks):
        total = []
        scores = self.frame["score"].to_numpy()
        for start, stop in blocks:
            values = scores[start:stop].reshape(-1, 2)
            spread = np.std(values, ddof=1)
            total.append(((values - values.mean(axis=1, keepdims=True)) / (spread + EPSILON)).ravel())
        return float(np.sqrt(np.mean(np.concatenate(total) ** 2)))

    @pytest.mark.parametrize(
        ("options", "blocks"),
        [
            ({}, [(0, 6), (6, 12)]),
            ({"batch": "epoch", "step": None}, [(0, 8), (8, 12)]),
            ({"batch_size": 4}, [(0, 4), (4, 6), (6, 10), (10, 12)]),
            ({"batch_size": 100}, [(0, 6), (6, 12)]),
        ],
    )
    def test_statistics_are_those_of_the_batch(self, options, blocks):
        found = self.batch_rms(**{name: value for name, value in options.items() if value is not None})
        assert found["batches"]["count"] == len(blocks)
        assert found["estimators"]["batch"]["rms"] == pytest.approx(self.expected(blocks))

    def test_without_a_step_the_table_is_one_batch(self):
        found = figures_of(self.frame.drop("step"), rewards=["score"])
        assert found["batches"] == {"count": 1, "origin": "the whole table"}

    @pytest.mark.parametrize(
        ("options", "error", "essence"),
        [
            ({"batch": "nowhere"}, TableError, "no column 'nowhere' \\(batch\\)"),
            ({"batch": "score"}, TableError, "6 of 6 groups have rows in several batches"),
            ({"batch": "epoch", "batch_size": 4}, InvalidInputError, "cannot both be given"),
            ({"batch_size": 1}, InvalidInputError, "at least 2"),
            ({"near": 1.5}, InvalidInputError, "strictly between 0 and 1"),
            ({"logged": "prompt"}, TableError, "logged scalar column 'prompt' is not numeric"),
            ({"advantages": "nowhere"}, TableError, "no column 'nowhere' \\(logged advantages\\)"),
            ({"epsilon": 0.0}, InvalidInputError, "epsilon must be a positive number"),
            ({"rewards": {"score": 0.0}}, InvalidInputError, "every reward has weight 0"),
            ({"group": "epoch", "nonsense": 1}, InvalidInputError, "no option 'nonsense'"),
        ],
    )
    def test_bad_input(self, options, error, essence):
        with pytest.raises(error, match=essence):
            estimators(self.frame, **({"rewards": ["score"]} | options))

    def test_a_batch_without_a_name_and_groups_of_one(self):
        holes = self.frame.with_columns(epoch=pl.when(pl.col("epoch") == 0).then("epoch"))
        with pytest.raises(TableError, match="4 rows have no value in the batch column 'epoch'"):
            estimators(holes, rewards=["score"], batch="epoch")
        with pytest.raises(TableError, match="no group has two completions"):
            estimators(self.frame.unique("prompt"), rewards=["score"])


class TestLogged:
    rows = random_rows(11, groups=20)
    weights = (Fraction(1), Fraction(2, 5))

    def frame(self, **columns):
        return frame_of(self.rows).with_columns(**{name: pl.Series(values) for name, values in columns.items()})

    @pytest.mark.parametrize("key", oracle(random_rows(1), [Fraction(1), Fraction(2, 5)]))
    def test_the_estimator_behind_logged_advantages_is_found(self, key):
        logged = np.float32(oracle(self.rows, self.weights)[key])
        frame = self.frame(advantages=logged)
        answered = estimators(frame, rewards={"a": 1.0, "b": 0.4}, batch="batch")
        found = answered.to_dict()["figures"]["logged_advantages"]
        assert found["equal"] == [key]
        assert found["fits"][key]["factor"] == pytest.approx(1.0, rel=1e-5)
        assert any("are those of" in item["text"] for item in answered.findings)

    def test_none_fits_other_weights(self):
        logged = oracle(self.rows, (Fraction(1), Fraction(3)))["grpo"]
        answered = estimators(self.frame(mine=logged), rewards={"a": 1.0, "b": 0.4}, batch="batch", advantages="mine")
        assert answered.to_dict()["figures"]["logged_advantages"]["equal"] == []
        assert any(item["severity"] == "warning" and "not those of any" in item["text"] for item in answered.findings)

    @pytest.mark.parametrize(("factor", "fits"), [(1.001, True), (1.01, False)])
    def test_equal_is_to_a_fifth_of_a_percent(self, factor, fits):
        logged = [factor * value for value in oracle(self.rows, self.weights)["rloo"]]
        found = figures_of(self.frame(advantage=logged), rewards={"a": 1.0, "b": 0.4}, batch="batch")
        assert ("rloo" in found["logged_advantages"]["equal"]) == fits
        assert found["logged_advantages"]["fits"]["rloo"]["factor"] == pytest.approx(factor)
        assert found["logged_advantages"]["fits"]["rloo"]["explained"] == pytest.approx(1.0)

    def test_the_logged_scalar_tells_the_weights(self):
        logged = [float(scores[0] + 2 * scores[1] - 3) for _, _, scores in self.rows]
        answered = estimators(self.frame(reward=logged), rewards={"a": 1.0, "b": 0.4})
        found = answered.to_dict()["figures"]["logged_scalar"]
        assert found["weights_that_fit"] == pytest.approx({"a": 1.0, "b": 2.0, "constant": -3.0})
        assert found["differing"] == len(self.rows)
        differences = [abs(float(Fraction(8, 5) * scores[1] - 3)) for _, _, scores in self.rows]
        assert found["largest_difference"] == pytest.approx(max(differences))

    def test_a_scalar_that_agrees_but_once(self):
        logged = [float(scores[0] + Fraction(2, 5) * scores[1]) for _, _, scores in self.rows]
        agreed = estimators(self.frame(reward=logged), rewards={"a": 1.0, "b": 0.4})
        assert any("is the weighted sum in all" in item["text"] for item in agreed.findings)
        logged[7] += 1.0
        found = figures_of(self.frame(reward=logged), rewards={"a": 1.0, "b": 0.4})["logged_scalar"]
        assert (found["differing"], found["weights_that_fit"]) == (1, None)
        assert found["largest_difference"] == pytest.approx(1.0)

    def test_a_component_is_no_logged_scalar(self):
        frame = frame_of(self.rows).rename({"a": "reward"})
        assert figures_of(frame, rewards={"reward": 1.0, "b": 0.4})["logged_scalar"] is None


def test_ratios_are_bootstrapped_over_groups():
    rng = np.random.default_rng(0)
    whole = rng.uniform(1, 2, size=200)
    part = whole * (rng.uniform(size=200) < 0.3)
    figure = ratios(part[None], whole[None], seed=1)[0]
    ratio = part.sum() / whole.sum()
    error = math.sqrt(np.mean((part - ratio * whole) ** 2) / 200) / whole.mean()  # the delta method
    assert figure["value"] == pytest.approx(ratio)
    assert figure["low"] == pytest.approx(ratio - 1.96 * error, abs=0.015)
    assert figure["high"] == pytest.approx(ratio + 1.96 * error, abs=0.015)
    none = subset_shares(np.zeros(200, dtype=bool), whole[None], seed=1)[0]
    assert none["value"] == 0.0
    assert none["high"] > 0.01  # none of 200 is not never
    assert ratios(part[None], 0 * whole[None], seed=1)[0]["value"] is None


def test_missing_scores():
    rows = random_rows(2)
    frame = frame_of(rows).with_columns(b=pl.when(pl.int_range(pl.len()) % 5 > 0).then("b"))
    kept = [row for position, row in enumerate(rows) if position % 5 > 0]
    sizes = defaultdict(int)
    for group, _, _ in kept:
        sizes[group] += 1
    kept = [row for row in kept if sizes[row[0]] > 1]
    _, _, omitted = computed(frame, {"a": 1.0, "b": 0.4}, "batch")
    expected = oracle(kept, [Fraction(1), Fraction(2, 5)])
    for key, values in expected.items():
        found = omitted[key][~np.isnan(omitted[key])]
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-11)
    assert figures_of(frame, rewards={"a": 1.0, "b": 0.4}, missing="zero")["completions"] == len(rows)


REAL = [
    (HUMANEVAL, {"generated_tests_pass_rate": 1.0, "compiles": 0.2}),
    (str(DATA / "math_rm.parquet"), {"correct": 1.0, "rm_score": 0.1}),
    (str(DATA / "topical_chat_ratings.parquet"), {"human_overall": 1.0, "unieval_coherence": -0.5}),
    (str(DATA / "gsm8k_solutions_60.parquet"), {"correct": 1.0}),
]


@pytest.mark.parametrize(("path", "weights"), REAL, ids=[Path(path).stem for path, _ in REAL])
def test_real_tables(path, weights):
    result = estimators(path, rewards=weights).to_dict()
    json.dumps(result, allow_nan=False)
    frame = pl.read_parquet(path).drop_nulls(list(weights))
    total = sum(weight * pl.col(name) for name, weight in weights.items())
    scored = frame.select("prompt_id", total=total).filter(pl.len().over("prompt_id") > 1)
    spread = pl.col("total").std().over("prompt_id")
    advantage = (pl.col("total") - pl.col("total").mean().over("prompt_id")) / (spread + EPSILON)
    expected = scored.select((advantage**2).mean().sqrt()).item()
    items = result["figures"]["estimators"]
    assert items["grpo"]["rms"] == pytest.approx(expected, rel=1e-9)
    assert result["figures"]["curve"][-1]["grpo"] == pytest.approx(1.0)
    assert result["settings"]["near"] == 0.01


def test_the_order_of_rows_and_a_seed_do_not_matter():
    frame = frame_of(random_rows(4, groups=20))
    first = estimators(frame, rewards={"a": 1.0, "b": 0.4}, noise=0.01, batch="batch").to_dict()["figures"]
    again = estimators(frame, rewards={"a": 1.0, "b": 0.4}, noise=0.01, batch="batch").to_dict()["figures"]
    assert first == again
    turned = figures_of(frame.reverse(), rewards={"a": 1.0, "b": 0.4}, batch="batch")["estimators"]
    for key, item in turned.items():
        assert item["rms"] == pytest.approx(first["estimators"][key]["rms"])
        assert item["silent"]["count"] == first["estimators"][key]["silent"]["count"]


class TestCommand:
    arguments = ("estimators", HUMANEVAL, "--reward", "generated_tests_pass_rate", "--reward", "compiles=0.2")

    def run(self, *more):
        return CliRunner().invoke(app, [*self.arguments, *more])

    def test_json_is_what_python_gives(self):
        result = self.run("--json", "-", "--main-reward", "compiles", "--epsilon", "0.01", "--batch-size", "1000")
        assert result.exit_code == 0, result.output
        answered = json.loads(result.stdout)
        same = estimators(
            HUMANEVAL,
            rewards={"generated_tests_pass_rate": 1.0, "compiles": 0.2},
            main_reward="compiles",
            epsilon=0.01,
            batch_size=1000,
        )
        assert answered["figures"] == json.loads(json.dumps(same.to_dict()["figures"]))
        assert answered["figures"]["groups"]["main_reward"] == "compiles"

    def test_page_and_terminal(self, tmp_path):
        page = tmp_path / "page.html"
        result = self.run("--html", str(page))
        assert result.exit_code == 0, result.output
        assert "REINFORCE++" in result.output
        text = page.read_text(encoding="utf-8")
        for expected in ("Where the signal comes from", "What the advantage is made of", "GDPO"):
            assert expected in text

    def test_bad_input_ends_with_2(self):
        result = self.run("--batch", "nowhere")
        assert result.exit_code == 2
        assert "nowhere" in result.output
