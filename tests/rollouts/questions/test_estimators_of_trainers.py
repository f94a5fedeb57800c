"""Advantages against those of the trainers themselves.

The numbers below are what the advantage lines of TRL 1.16.0 (`grpo_trainer.py`, `rloo_trainer.py`), verl 0.9.1
(`core_algos.py`) and OpenRLHF 0.11.2 (`experience_maker.py`) give, cut out of the installed sources and run in torch's
double precision on `FULL` and `HOLES`: six groups of four, three rewards with `WEIGHTS`, all in one batch, verl's GRPO
with epsilon 1e-4. None is a missing score.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from policycliff.rollouts.questions.estimators.advantages import estimates
from policycliff.rollouts.questions.estimators.question import estimators
from policycliff.rollouts.questions.estimators.sample import sample_of, scored_sum
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

WEIGHTS = {"a": 1.0, "b": 0.5, "c": -0.25}
FULL = [
    [0.0, 0.78, 0.5],
    [0.0, 0.23, 0.0],
    [0.0, 0.3, 0.25],
    [0.0, 0.87, 0.5],
    [1.0, 0.3, 0.25],
    [1.0, 0.3, 0.25],
    [1.0, 0.3, 0.25],
    [1.0, 0.3, 0.25],
    [0.0, 0.5, 0.0],
    [1.0, 0.5, 0.0],
    [0.0, 0.5, 0.0],
    [0.0, 0.5, 0.0],
    [0.0, 0.47, 0.0],
    [0.0, 0.92, 0.25],
    [0.0, 0.63, 0.25],
    [1.0, 0.51, 0.0],
    [1.0, 0.69, 0.25],
    [0.0, 0.2, 0.5],
    [0.0, 0.37, 0.25],
    [0.0, 0.0, 0.0],
    [1.0, 0.51, 0.25],
    [0.0, 0.85, 0.0],
    [1.0, 0.64, 0.0],
    [1.0, 0.74, 0.25],
]
HOLES = [
    [0.0, 0.36, 0.25],
    [0.0, 0.6, 0.0],
    [0.0, 0.06, 0.0],
    [0.0, 0.39, 0.0],
    [1.0, 0.98, 0.25],
    [1.0, 0.98, 0.25],
    [1.0, 0.98, 0.25],
    [1.0, 0.98, 0.25],
    [0.0, 0.5, 0.0],
    [1.0, None, 0.0],
    [0.0, 0.5, 0.0],
    [0.0, 0.5, 0.0],
    [0.0, 0.13, 0.5],
    [1.0, 0.85, 0.25],
    [None, None, None],
    [1.0, 0.9, 0.0],
    [1.0, 0.55, None],
    [0.0, 0.18, None],
    [1.0, 0.88, None],
    [1.0, 0.64, 0.25],
    [None, 0.04, 0.25],
    [0.0, 0.88, 0.0],
    [0.0, 0.47, 0.25],
    [0.0, 0.55, 0.5],
]
TRL = {
    "grpo": [
        *(0.64341602, -0.72313128, -0.97366495, 1.05338021),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.49990002, 1.49970006, -0.49990002, -0.49990002),
        *(-0.61780039, -0.28315851, -0.58176204, 1.48272094),
        *(1.49184962, -0.58878332, -0.35406564, -0.54900066),
        *(0.30656515, -1.48611105, 0.60437129, 0.57517461),
    ],
    "dr_grpo": [
        *(0.070625, -0.079375, -0.106875, 0.115625),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.25, 0.75, -0.25, -0.25),
        *(-0.3, -0.1375, -0.2825, 0.72),
        *(0.9375, -0.37, -0.2225, -0.345),
        *(0.13125, -0.63625, 0.25875, 0.24625),
    ],
    "batch": [
        *(0.13832024, -0.15545727, -0.20931648, 0.2264535),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.48962918, 1.46888755, -0.48962918, -0.48962918),
        *(-0.58755502, -0.26929605, -0.55328098, 1.41013204),
        *(1.83610943, -0.72465119, -0.43576997, -0.67568827),
        *(0.25705532, -1.24610627, 0.5067662, 0.48228474),
    ],
    "gdpo": [
        *(0.2125001, -0.20201323, -0.40160207, 0.3911152),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.64834171, 1.94502512, -0.64834171, -0.64834171),
        *(-0.88564365, -0.01265217, -0.93691139, 1.83520721),
        *(2.77703657, -1.30040343, -0.52631336, -0.95031977),
        *(-0.41544519, -0.92599165, 0.72755323, 0.61388362),
    ],
    "rloo": [
        *(0.09416667, -0.10583333, -0.1425, 0.15416667),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.33333333, 1.0, -0.33333333, -0.33333333),
        *(-0.4, -0.18333333, -0.37666667, 0.96),
        *(1.25, -0.49333333, -0.29666667, -0.46),
        *(0.175, -0.84833333, 0.345, 0.32833333),
    ],
}
TRL_WITH_HOLES = {
    "grpo": [
        *(-0.37536162, 1.21312525, -1.13696492, 0.29920129),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.4998667, 1.49960011, -0.4998667, -0.4998667),
        *(-1.15302554, 0.52490677, 0.0, 0.62811877),
        *(0.41657539, -1.48662206, 0.68157757, 0.3884691),
        *(-1.12102627, 1.30996328, -0.0377874, -0.15114961),
    ],
    "dr_grpo": [
        *(-0.043125, 0.139375, -0.130625, 0.034375),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.1875, 0.5625, -0.1875, -0.1875),
        *(-0.9775, 0.445, 0.0, 0.5325),
        *(0.259375, -0.925625, 0.424375, 0.241875),
        *(-0.2225, 0.26, -0.0075, -0.03),
    ],
    "batch": [
        *(-0.06999581, 0.22621836, -0.21201631, 0.05579377),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.30432963, 0.91298889, -0.30432963, -0.30432963),
        *(-1.58657181, 0.72227566, 0.0, 0.86429615),
        *(0.42098932, -1.50237394, 0.6887994, 0.39258522),
        *(-0.36113783, 0.42200375, -0.01217319, -0.04869274),
    ],
    "gdpo": [
        *(-0.40164498, 0.76468615, -0.59785155, 0.23481038),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.56109521, 1.68328564, -0.56109521, -0.56109521),
        *(-2.2231047, 0.93875032, 0.0, 1.28435438),
        *(0.53696015, -2.42181858, 1.17412583, 0.71073261),
        *(-0.72222723, 0.98457778, -0.02434474, -0.23800582),
    ],
    "rloo": [
        *(-0.0575, 0.18583333, -0.17416667, 0.04583333),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.25, 0.75, -0.25, -0.25),
        *(-1.46625, 0.6675, 0.0, 0.79875),
        *(0.34583333, -1.23416667, 0.56583333, 0.3225),
        *(-0.29666667, 0.34666667, -0.01, -0.04),
    ],
}
VERL = {
    "grpo": [
        *(0.64341602, -0.72313128, -0.97366495, 1.05338021),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.49990002, 1.49970006, -0.49990002, -0.49990002),
        *(-0.61780039, -0.28315851, -0.58176204, 1.48272094),
        *(1.49184962, -0.58878332, -0.35406564, -0.54900066),
        *(0.30656515, -1.48611105, 0.60437129, 0.57517461),
    ],
    "dr_grpo": [
        *(0.070625, -0.079375, -0.106875, 0.115625),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.25, 0.75, -0.25, -0.25),
        *(-0.3, -0.1375, -0.2825, 0.72),
        *(0.9375, -0.37, -0.2225, -0.345),
        *(0.13125, -0.63625, 0.25875, 0.24625),
    ],
    "rloo": [
        *(0.09416667, -0.10583333, -0.1425, 0.15416667),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.33333333, 1.0, -0.33333333, -0.33333333),
        *(-0.4, -0.18333333, -0.37666667, 0.96),
        *(1.25, -0.49333333, -0.29666667, -0.46),
        *(0.175, -0.84833333, 0.345, 0.32833333),
    ],
    "reinforce_pp": [
        *(-0.69642988, -0.99026493, -1.04413469, -0.60827937),
        *(0.91476565, 0.91476565, 0.91476565, 0.91476565),
        *(-0.72581339, 1.23308696, -0.72581339, -0.72581339),
        *(-0.75519689, -0.43687559, -0.72091614, 1.24288146),
        *(1.29675122, -1.26451098, -0.97557318, -1.21553847),
        *(1.12045019, -0.38300583, 1.37020998, 1.34572373),
    ],
    "reinforce_pp_baseline": [
        *(0.18854371, -0.21190311, -0.28531836, 0.30867776),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.66741137, 2.0022341, -0.66741137, -0.66741137),
        *(-0.80089364, -0.36707625, -0.75417485, 1.92214474),
        *(2.50279263, -0.98776882, -0.59399612, -0.92102769),
        *(0.35039097, -1.69856193, 0.69077077, 0.6574002),
    ],
    "gdpo": [
        *(0.2125277, -0.20203937, -0.40165414, 0.39116607),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.64842581, 1.94527738, -0.64842581, -0.64842581),
        *(-0.88575849, -0.01265379, -0.93703292, 1.83544522),
        *(2.77739678, -1.30057207, -0.52638162, -0.95044308),
        *(-0.41549908, -0.9261118, 0.72764751, 0.6139632),
    ],
}
OPENRLHF = {
    "rloo": [
        *(0.09416667, -0.10583333, -0.1425, 0.15416667),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.33333333, 1.0, -0.33333333, -0.33333333),
        *(-0.4, -0.18333333, -0.37666667, 0.96),
        *(1.25, -0.49333333, -0.29666667, -0.46),
        *(0.175, -0.84833333, 0.345, 0.32833333),
    ],
    "dr_grpo": [
        *(0.070625, -0.079375, -0.106875, 0.115625),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.25, 0.75, -0.25, -0.25),
        *(-0.3, -0.1375, -0.2825, 0.72),
        *(0.9375, -0.37, -0.2225, -0.345),
        *(0.13125, -0.63625, 0.25875, 0.24625),
    ],
    "group_norm": [
        *(0.64400272, -0.72379067, -0.97455279, 1.05434073),
        *(0.0, 0.0, 0.0, 0.0),
        *(-0.5, 1.5, -0.5, -0.5),
        *(-0.61792764, -0.28321684, -0.58188186, 1.48302634),
        *(1.49208706, -0.58887702, -0.35412199, -0.54908804),
        *(0.30663677, -1.48645824, 0.60451249, 0.57530899),
    ],
}


def advantages(scores, *, epsilon=1e-4):
    """Advantages in the order of the rows, by estimator; 0 for rows without any score, as trainers set them."""
    frame = pl.DataFrame(scores, schema=dict.fromkeys(WEIGHTS, pl.Float64), orient="row")
    frame = frame.with_columns(prompt=pl.Series([f"p{row // 4}" for row in range(len(scores))]))
    settings = AuditSettings(rewards=tuple(WEIGHTS.items()), missing="zero", epsilon=epsilon)
    loaded = load_rollouts(frame, settings)
    scored = scored_sum(loaded)
    _, found = estimates(sample_of(loaded, scored, np.zeros(len(scored.layout.rows), dtype=np.int64)), epsilon)
    rows = loaded.table.row_index[scored.layout.rows]
    result = {key: np.zeros(len(scores)) for key in found}
    for key, estimate in found.items():
        result[key][rows] = estimate.advantage
    return result


@pytest.mark.parametrize("key", TRL)
def test_trl(key):
    np.testing.assert_allclose(advantages(FULL)[key], TRL[key], rtol=1e-6, atol=2e-8)


@pytest.mark.parametrize("key", TRL)
def test_trl_with_missing_scores(key):
    np.testing.assert_allclose(advantages(HOLES)[key], TRL_WITH_HOLES[key], rtol=1e-6, atol=2e-8)


@pytest.mark.parametrize("key", [key for key in VERL if key != "gdpo"])
def test_verl(key):
    np.testing.assert_allclose(advantages(FULL)[key], VERL[key], rtol=1e-6, atol=2e-8)


def test_verl_gdpo_whitens_with_another_epsilon():
    # verl divides by sqrt(variance + 1e-8) where TRL divides by std + 1e-4, in single precision.
    np.testing.assert_allclose(advantages(FULL)["gdpo"], VERL["gdpo"], rtol=3e-4, atol=1e-6)


@pytest.mark.parametrize(("key", "estimator"), [("rloo", "rloo"), ("dr_grpo", "dr_grpo"), ("grpo", "group_norm")])
def test_openrlhf(key, estimator):
    found = advantages(FULL, epsilon=1e-9)[key]
    np.testing.assert_allclose(found, OPENRLHF[estimator], rtol=1e-6, atol=2e-8)


def test_nemo_rl_divides_by_the_others_standard_deviation():
    # NVIDIA-NeMo/RL#1519 and #4161: the others of the one success are all equal, so its advantage is not divided.
    scores = [[value, 0.0, 0.0] for value in (1.0, 0.0, 0.0, 0.0)] + [[0.35, 0.0, 0.0]] * 3 + [[0.0, 0.0, 0.0]]
    others = np.std([1.0, 0.0, 0.0], ddof=1)
    expected = [1.0, *[-1 / 3 / (others + 1e-6)] * 3]
    found = advantages(scores, epsilon=1e-6)["loo_normalised"]
    np.testing.assert_allclose(found[:4], expected, rtol=1e-9)
    assert found[7] == pytest.approx(-0.35)


LOGS = Path(__file__).parents[2] / "data" / "formats" / "trl"


@pytest.mark.parametrize(
    ("run", "brevity", "estimator"),
    [
        ("text", 1.0, "grpo"),
        ("chat", 0.5, "grpo"),
        ("unscaled", 0.5, "dr_grpo"),
        ("batch", 1.0, "batch"),
        ("normalised_first", 1.0, "gdpo"),
    ],
)
def test_logs_of_real_trl_runs_are_recognised(run, brevity, estimator):
    # `make.py` beside the logs trained with these weights and settings; groups are blocks of four rows.
    logs = [pl.read_parquet(path) for path in sorted((LOGS / run).glob("*.parquet"))]
    frame = pl.concat(log.select("step", "letters", "brevity", "advantage") for log in logs)
    answered = estimators(frame, rewards={"letters": 1.0, "brevity": brevity}, missing="zero", group_size=4)
    found = answered.to_dict()["figures"]
    assert found["logged_advantages"]["equal"] == [estimator]
    assert found["batches"]["count"] == len(logs)
    other = estimators(frame, rewards={"letters": 1.0, "brevity": 3.0}, missing="zero", group_size=4)
    assert other.to_dict()["figures"]["logged_advantages"]["equal"] == []


def test_tiny_rewards_are_not_called_tied():
    frame = pl.DataFrame({"prompt": ["p"] * 3, "score": [0.0, 1e-200, 0.0]})
    assert not any("All groups are tied" in item["text"] for item in estimators(frame, rewards=["score"]).findings)
