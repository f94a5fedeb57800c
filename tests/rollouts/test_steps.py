"""Figures over training steps against a plain reading of the rows."""

import numpy as np
import polars as pl
import pytest

from policycliff import audit
from policycliff.rollouts.analyses.steps import MOST_ROWS


def training(steps: int, *, prompts: int = 6, draws: int = 4, seed: int = 0) -> pl.DataFrame:
    """Prompts come back at random; rewards are coarse, so that ties are frequent."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "step": step,
            "prompt": f"p{prompt}",
            "completion": f"c{rng.integers(3)} {draw}" if prompt else f"c{rng.integers(3)}",
            "answer": f"a{rng.integers(2)}",
            "reward": float(rng.integers(0, 3)),
            "truth": float(rng.integers(0, 2)),
        }
        for step in range(steps)
        for prompt in np.sort(rng.choice(prompts, 4, replace=False))
        for draw in range(draws)
    ]
    return pl.DataFrame(rows)


def by_hand(table: pl.DataFrame, runs: list[list[int]]) -> list[dict[str, float]]:
    """The same figures by loops over groups; behaviours are the answers."""
    seen: dict[str, set[str]] = {}
    per_step: dict[int, list[dict[str, float]]] = {}
    for (step, prompt), group in sorted(table.group_by(["step", "prompt"]), key=lambda item: item[0]):
        rows = group.to_dicts()
        values: dict[str, list[dict[str, float]]] = {}
        for row in rows:
            values.setdefault(row["answer"], []).append(row)
        means = {name: np.mean([row["reward"] for row in drawn]) for name, drawn in values.items()}
        truths = {name: np.mean([row["truth"] for row in drawn]) for name, drawn in values.items()}
        best = {name for name, value in means.items() if value == max(means.values())}
        rewards = np.array([row["reward"] for row in rows])
        others = [value for name, value in means.items() if name not in best]
        spread = rewards.std(ddof=1)
        per_step.setdefault(step, []).append(
            {
                "tied_share": len(best) > 1,
                "zero_spread_share": spread == 0,
                "best_changed_share": np.nan if prompt not in seen else best != seen[prompt],
                "gap_mean": max(means.values()) - max(others) if len(best) == 1 and others else np.nan,
                "spread_mean": spread,
                "gain_mean": np.nan if spread == 0 else 1.0 / (spread + 1e-4),
                "reward_mean": rewards.mean(),
                "best_reward_mean": max(means.values()),
                "truth_mean": np.mean([row["truth"] for row in rows]),
                "truth_of_best_mean": np.mean([truths[name] for name in best]),
            }
        )
        seen[prompt] = best
    found = []
    for run in runs:
        values = [item for step in run for item in per_step[step]]
        known = {key: [item[key] for item in values if not np.isnan(item[key])] for key in values[0]}
        means = {key: np.mean(numbers) if numbers else np.nan for key, numbers in known.items()}
        found.append(means | {"prompts": len(values)})
    return found


def test_figures_of_every_step() -> None:
    table = training(12)
    rows = audit(table, rewards=["reward"], truth="truth", behaviour="answer", noise=None).to_dict()["steps"]
    expected = by_hand(table, [[step] for step in range(12)])
    assert [(row["first"], row["last"]) for row in rows] == [(step, step) for step in range(12)]
    for row, hand in zip(rows[1:], expected[1:], strict=True):
        for key, value in hand.items():
            got = row[key] if key == "prompts" else row[key]["value"]
            assert (got is None and np.isnan(value)) or got == pytest.approx(value), key
    assert rows[0]["best_changed_share"]["value"] is None


def test_many_steps_become_runs_and_the_order_of_rows_does_not_matter() -> None:
    table = training(2 * MOST_ROWS + 5, draws=3)
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    options = {"rewards": ["reward"], "behaviour": "answer", "noise": None}
    rows = audit(table, **options).to_dict()["steps"]
    assert len(rows) == MOST_ROWS
    runs = [list(range(row["first"], row["last"] + 1)) for row in rows]
    assert [step for run in runs for step in run] == list(range(2 * MOST_ROWS + 5))
    assert {len(run) for run in runs} == {2, 3}
    for row, hand in zip(rows[1:], by_hand(table, runs)[1:], strict=True):
        for key in ("tied_share", "best_changed_share", "reward_mean"):
            assert row[key]["value"] == pytest.approx(hand[key])
    again = audit(shuffled, **options).to_dict()["steps"]
    for row, other in zip(rows, again, strict=True):
        assert row["best_changed_share"] == other["best_changed_share"]
        assert row["reward_mean"]["value"] == pytest.approx(other["reward_mean"]["value"])


def test_without_steps_or_with_one_there_is_nothing_to_follow() -> None:
    table = training(3)
    assert audit(table.drop("step"), rewards=["reward"]).to_dict()["steps"] is None
    assert audit(table.filter(step=1), rewards=["reward"]).to_dict()["steps"] is None


def test_steps_that_are_text_or_missing() -> None:
    table = training(3).with_columns(step=pl.format("epoch {}", "step"))
    rows = audit(table, rewards=["reward"], step="step").to_dict()["steps"]
    assert [row["first"] for row in rows] == ["epoch 0", "epoch 1", "epoch 2"]
    missing = training(3).with_columns(step=pl.when(pl.col("step") > 0).then("step"))
    assert [row["first"] for row in audit(missing, rewards=["reward"], step="step").to_dict()["steps"]] == [None, 1, 2]


def test_a_rise_of_ties_is_a_finding() -> None:
    table = training(80).with_columns(reward=pl.when(pl.col("step") >= 40).then(1.0).otherwise("reward"))
    verdict = audit(table, rewards=["reward"], noise=None).verdict
    texts = [item["text"] for item in verdict if item["figure"]["key"].startswith("steps.")]
    assert any("Ties at the top grow over training" in text for text in texts)
    assert any("Prompts without spread" in text and "100 %" in text for text in texts)
    assert not any(
        item["figure"]["key"].startswith("steps.") for item in audit(training(80), rewards=["reward"]).verdict
    )
