"""The recorder: its figures are the audit's, its files are whole, and nothing that goes wrong ends training."""

import json
import subprocess
import sys
import warnings

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import policycliff
from policycliff.cli.main import app
from policycliff.errors import InvalidInputError
from policycliff.integrations.live.figures import step_table
from policycliff.integrations.live.rows import rows_of
from policycliff.integrations.recorder import Recorder
from policycliff.rollouts.reading.convert import write_canonical
from policycliff.rollouts.settings import AuditSettings

REWARDS = {"correct": 1.0, "format": 0.1}


def step_of(seed, *, prompts=12, size=6):
    """Rollouts of one step with ties, groups without spread, repeated texts and missing scores."""
    rng = np.random.default_rng(seed)
    count = prompts * size
    correct = rng.integers(0, 2, count).astype(float)
    correct[:size] = 0.0
    form = np.round(rng.random(count), 1)
    form[size : 2 * size] = 0.5
    correct[size : 2 * size] = 1.0
    form[3 * size] = np.nan
    return {
        "prompts": [f"prompt {number // size % (prompts - 1)}" for number in range(count)],
        "completions": [f"text {number}" for number in rng.integers(0, 4, count)],
        "scores": {"correct": correct, "format": form},
        "truth": rng.integers(0, 3, count).astype(float),
    }


def frame_of(step, size):
    group = pl.Series("group", np.arange(len(step["prompts"])) // size)
    return pl.DataFrame({"prompt": step["prompts"], "completion": step["completions"], **step["scores"]}).with_columns(
        group, truth=pl.Series(step["truth"])
    )


def record(recorder, *given, **more):
    """Add, and wait for the file."""
    figures = recorder.add(*given, **more)
    recorder.flush()
    return figures


def rows_in(folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


@pytest.mark.parametrize("options", [{}, {"aggregation": "normalize_then_sum"}, {"missing": "zero", "noise": 0.3}])
def test_the_figures_of_a_step_are_those_of_its_audit(tmp_path, options):
    recorder = Recorder(tmp_path, rewards=REWARDS, **options)
    step = step_of(0)
    figures = {name.partition("/")[2]: value for name, value in recorder.add(**step, step=3, group_size=6).items()}
    result = policycliff.audit(frame_of(step, 6), rewards=REWARDS, truth="truth", group="group", **options).to_dict()
    effective = result["rewards"]["effective"]
    assert figures["prompts"] == effective["prompts"] == 12
    for name in ("tied_share", "consequential_share", "zero_spread_share"):
        assert figures[name] == effective[name]["value"], name
    assert 0.0 < figures["tied_share"] < 1.0
    assert figures["phantom_share"] == result["normalisation"]["phantom_share"]["value"] > 0.0
    noisy = effective["noise_spread_share"]
    assert figures.get("noise_spread_share") == (None if noisy is None else noisy["value"])
    assert figures["exposure_mean"] == pytest.approx(result["truth"]["all"]["exposure"]["value"], rel=1e-12)
    assert figures["truth_mean"] == pytest.approx(result["truth"]["all"]["sampling_truth"]["value"], rel=1e-12)


def test_means_over_the_steps_are_those_of_the_audit_by_step(tmp_path):
    recorder = Recorder(tmp_path, rewards={"correct": 1.0})
    given = [
        recorder.add(**{**step_of(seed), "scores": {"correct": step_of(seed)["scores"]["correct"]}}, group_size=6)
        for seed in range(3)
    ]
    steps = recorder.close().to_dict()["steps"]
    assert [row["first"] for row in steps] == [1, 2, 3]
    for figures, row in zip(given, steps, strict=True):
        for name in ("tied_share", "zero_spread_share", "gap_mean", "spread_mean", "gain_mean", "reward_mean"):
            assert figures[f"policycliff/{name}"] == pytest.approx(row[name]["value"], rel=1e-12), name


def test_exact_ties_of_decimals(tmp_path):
    recorder = Recorder(tmp_path, rewards={"a": 1.0, "b": 1.0})
    scores = {"a": np.array([0.1, 0.3], dtype=np.float32), "b": [0.2, 0.0]}
    assert recorder.add(["p"] * 2, ["x", "y"], scores)["policycliff/tied_share"] == 1.0


def test_scores_of_few_bits_are_the_decimals_that_they_print_as(tmp_path):
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    given = (np.array([0.1, 0.7], dtype=np.float32), [np.float32(0.1), 0.7], [0.1, None], np.array([1, 0]))
    for scores in given:
        record(recorder, ["p"] * 2, ["x", "y"], {"r": scores})
    rows = rows_in(tmp_path)
    assert rows["r"].to_list() == [0.1, 0.7, 0.1, 0.7, 0.1, None, 1.0, 0.0]
    assert rows["r"].dtype == pl.Float64


def test_tensors_are_scores(tmp_path):
    torch = pytest.importorskip("torch")
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    recorder.add(["p"] * 2, ["x", "y"], {"r": torch.tensor([0.1, 0.7], requires_grad=True)}, truth=torch.tensor([1, 0]))
    record(recorder, ["p"] * 2, ["x", "y"], {"r": torch.tensor([0.5, 2.0], dtype=torch.bfloat16)})
    assert rows_in(tmp_path)["r"].to_list() == [0.1, 0.7, 0.5, 2.0]


def test_texts_are_the_same_within_their_group_only():
    texts = ["a", "b", "a", None, None, "a", "ab", "", "", "ab"]
    groups = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    table = step_table(rows_of(["p"] * 10, texts, {"r": [0.0] * 10}, group=groups))
    assert dict(zip(table.row_index.tolist(), table.text.tolist(), strict=True)) == {
        row: next(
            other for other in range(10) if row == other or (text is not None and (groups[other], texts[other]) == key)
        )
        for row, (text, key) in enumerate(zip(texts, zip(groups, texts, strict=True), strict=True))
    }


def test_what_cannot_be_known_is_left_out(tmp_path):
    recorder = Recorder(tmp_path, rewards={"correct": 1.0})
    figures = recorder.add(["p"] * 2, ["x", "y"], {"correct": [1, 1]})
    assert {name.partition("/")[2] for name in figures} == {
        "prompts",
        "reward_mean",
        "tied_share",
        "zero_spread_share",
        "spread_mean",
    }
    assert recorder.add(["p", "q"], ["x", "y"], {"correct": [1, 1]}) == {"policycliff/prompts": 0.0}


def test_failing_alike_is_no_phantom_until_failing_is_known(tmp_path):
    scores = {"correct": [0.0, 0.0], "format": [0.0, 1.0]}
    unknown = Recorder(tmp_path / "a", rewards=REWARDS).add(["p"] * 2, ["x", "y"], scores)
    assert "policycliff/phantom_share" not in unknown
    known = Recorder(tmp_path / "b", rewards=REWARDS, max_reward={"correct": 1.0}).add(["p"] * 2, ["x", "y"], scores)
    assert known["policycliff/phantom_share"] == 1.0


def test_the_folder_is_audited_without_an_option(tmp_path):
    with Recorder(tmp_path, rewards=REWARDS, report=True) as recorder:
        for number in range(1, 4):
            recorder.add(**step_of(number), step=number, group_size=6)
            recorder.add(**step_of(100 + number), step=number, group_size=6, evaluation=True)
    result = policycliff.audit(tmp_path).to_dict()
    assert result["counts"]["prompts"] == 36
    assert result["settings"]["rewards"] == REWARDS
    assert result["settings"]["columns"]["truth"]["column"] == "truth"
    written = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert written["rewards"] == json.loads(json.dumps(result["rewards"]))
    assert "<html" in (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")
    held_out = json.loads((tmp_path / "evaluation" / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert held_out["counts"]["prompts"] == 36
    assert held_out["rewards"] != written["rewards"]
    whole = pl.concat([frame_of(step_of(number), 6).with_columns(step=number) for number in range(1, 4)])
    kept = rows_in(tmp_path)
    for name in ("prompt", "completion", "correct", "format", "truth"):
        assert kept[name].equals(whole[name], null_equal=True), name


@pytest.mark.parametrize(
    "options",
    [
        {"missing": "zero", "epsilon": 1e-2},
        {"missing": "zero", "aggregation": "normalize_then_sum"},
        {"max_reward": {"correct": 1.0}, "main_reward": "format"},
    ],
)
def test_the_settings_are_in_the_files_and_the_user_beats_them(tmp_path, options):
    recorder = Recorder(tmp_path / "rollouts", rewards=REWARDS, **options)
    recorder.add(**step_of(0), group_size=6)
    own = recorder.close().to_dict()

    def figures(result):
        return {name: value for name, value in result.items() if name != "settings"}

    again = policycliff.audit(tmp_path / "rollouts").to_dict()
    assert figures(again) == figures(own)
    assert {name: again["settings"][name] for name in options} == options
    converted = tmp_path / "converted.parquet"
    write_canonical(tmp_path / "rollouts", converted, AuditSettings())
    assert figures(policycliff.audit(converted).to_dict()) == figures(own)
    defaults = {"missing": "omit", "epsilon": 1e-4, "aggregation": "sum_then_normalize", "max_reward": {"correct": 2.0}}
    given = {name: defaults[name] for name in options if name in defaults}
    settings = policycliff.audit(tmp_path / "rollouts", **given).to_dict()["settings"]
    assert {name: settings[name] for name in given} == given
    result = CliRunner().invoke(app, ["audit", str(tmp_path / "rollouts"), "--missing", "omit", "--json", "-"])
    assert json.loads(result.stdout)["settings"]["missing"] == "omit"


def test_calls_of_one_step_add_up_and_never_share_a_group(tmp_path):
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    for _ in range(2):
        record(recorder, ["p"] * 2, ["x", "y"], {"r": [1, 0]}, step=4, group=["a", "a"])
    assert rows_in(tmp_path)["group"].unique().sort().to_list() == ["step 4, a", "step 4, a, part 1"]
    assert recorder.close().to_dict()["counts"]["prompts"] == 2


def test_a_resumed_run_is_as_one_that_was_never_stopped(tmp_path):
    def run(folder, steps):
        recorder = Recorder(folder, rewards=REWARDS)
        for number in steps:
            for part in range(2):
                recorder.add(**step_of(10 * number + part), step=number, group_size=6)
        recorder.flush()

    run(tmp_path / "whole", range(1, 7))
    run(tmp_path / "resumed", range(1, 5))
    run(tmp_path / "resumed", range(3, 7))
    assert rows_in(tmp_path / "resumed").equals(rows_in(tmp_path / "whole"), null_equal=True)


def test_a_repeated_step_with_fewer_calls_leaves_nothing_of_the_old_ones(tmp_path):
    first = Recorder(tmp_path, rewards={"r": 1.0})
    for _ in range(3):
        record(first, ["p"] * 2, ["x", "y"], {"r": [1, 0]}, step=1)
    record(Recorder(tmp_path, rewards={"r": 1.0}), ["p"] * 2, ["x", "z"], {"r": [1, 0]}, step=1)
    assert rows_in(tmp_path)["completion"].to_list() == ["x", "z"]


def test_without_a_step_a_continued_folder_counts_on(tmp_path):
    for _ in range(2):
        record(Recorder(tmp_path, rewards={"r": 1.0}), ["p"] * 2, ["x", "y"], {"r": [1, 0]})
    assert rows_in(tmp_path)["step"].to_list() == [1, 1, 2, 2]


def test_several_processes_write_files_of_their_own(tmp_path):
    for rank in range(3):
        recorder = Recorder(tmp_path, rewards={"r": 1.0}, rank=rank, world_size=3)
        recorder.add(["p"] * 2, ["x", "y"], {"r": [1, rank]}, step=1, group_size=2)
        assert (recorder.close() is None) == (rank > 0)
    assert policycliff.audit(tmp_path).to_dict()["counts"]["prompts"] == 3
    for rank in range(2):
        recorder = Recorder(tmp_path, rewards={"r": 1.0}, rank=rank, world_size=2)
        record(recorder, ["p"] * 2, ["x", "y"], {"r": [1, rank]}, step=1, group_size=2)
    assert policycliff.audit(tmp_path).to_dict()["counts"]["prompts"] == 2


def test_limits_warn_once_and_ask_for_a_stop_where_told(tmp_path, caplog):
    limits = {"zero_spread_share": 0.5, "gap_mean": (0.2, None), "evaluation/tied_share": 0.0}
    for stop in (False, True):
        recorder = Recorder(tmp_path / str(stop), rewards={"r": 1.0}, limits=limits, stop=stop)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 0]}, step=1)
            assert not recorder.should_stop
        with pytest.warns(UserWarning, match="zero_spread_share should be at most 0.5, but it is 1"):
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 1]}, step=2)
        assert recorder.should_stop is stop
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 1]}, step=3)
        with pytest.warns(UserWarning, match="step 4, gap_mean should be at least 0.2"):
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 0.9]}, step=4)
        with pytest.warns(UserWarning, match="evaluation/tied_share"):
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 1]}, step=4, evaluation=True)
    assert len([record for record in caplog.records if record.name == "policycliff"]) == 6


@pytest.mark.parametrize(
    "given",
    [
        {"scores": {"other": [1, 0]}},
        {"scores": {"r": [1, 0, 1]}},
        {"scores": {"r": ["good", "bad"]}},
        {"scores": {"r": [1, 0]}, "group_size": 3},
        {"scores": {"r": [1, 0]}, "group": ["a"]},
        {"scores": {"r": [1, 0]}, "group": ["a", "a"], "group_size": 2},
        {"scores": {"r": [1e80, 0]}},
    ],
)
def test_bad_rollouts_are_a_warning_once(tmp_path, given):
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    with pytest.warns(RuntimeWarning, match="Training goes on"):
        assert recorder.add(["p"] * 2, ["x", "y"], **given) == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert recorder.add(["p"] * 2, ["x", "y"], **given) == {}
        assert recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 1]})["policycliff/tied_share"] == 1.0


def test_a_disk_that_fails_costs_the_files_and_not_the_figures(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "rollouts", rewards={"r": 1.0})

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.warns(RuntimeWarning, match="disk full"):
        assert record(recorder, ["p"] * 2, ["x", "y"], {"r": [1, 1]})["policycliff/tied_share"] == 1.0
    assert list((tmp_path / "rollouts").iterdir()) == []
    assert recorder.close() is None


def test_an_audit_that_fails_is_a_warning(tmp_path):
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    recorder.add(["p", "q"], ["x", "y"], {"r": [1, 1]})
    with pytest.warns(RuntimeWarning, match="could not audit the rollouts"):
        assert recorder.close() is None


def test_a_folder_of_an_earlier_version_is_gone_on_with(tmp_path):
    def described(path):
        return json.loads(pl.read_parquet_metadata(path)["policycliff"])

    record(Recorder(tmp_path, rewards={"r": 1.0}), ["p"] * 2, ["x", "y"], {"r": [1, 0]})
    (path,) = tmp_path.glob("*.parquet")
    old = described(path)
    for name in ("missing", "aggregation", "epsilon"):
        assert old["fixed"].pop(name) is not None
    pl.read_parquet(path).write_parquet(path, metadata={"policycliff": json.dumps(old)})
    recorder = Recorder(tmp_path, rewards={"r": 1.0}, missing="zero")
    record(recorder, ["p"] * 2, ["x", "y"], {"r": [1, 0]})
    first, second = sorted(tmp_path.glob("*.parquet"))
    assert described(second)["fixed"] == described(first)["fixed"] == old["fixed"]
    assert recorder.close().to_dict()["counts"]["prompts"] == 2


def test_a_training_that_fails_is_not_audited(tmp_path):
    def train():
        with Recorder(tmp_path, rewards={"r": 1.0}) as recorder:
            recorder.add(["p"] * 2, ["x", "y"], {"r": [1, 0]})
            raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        train()
    assert not (tmp_path / "audit").exists()
    assert len(rows_in(tmp_path)) == 2


def test_truth_may_be_missing_later_but_not_come_later(tmp_path):
    with_truth = Recorder(tmp_path / "a", rewards={"r": 1.0})
    with_truth.add(["p"] * 2, ["x", "y"], {"r": [1, 0]}, truth=[1, 0])
    with_truth.add(["p"] * 2, ["x", "y"], {"r": [1, 0]})
    assert with_truth.close().to_dict()["counts"]["unusable_scores"]["truth"]["missing"] == 2
    without = Recorder(tmp_path / "b", rewards={"r": 1.0})
    without.add(["p"] * 2, ["x", "y"], {"r": [1, 0]})
    with pytest.warns(RuntimeWarning, match="begun without the truth"):
        record(without, ["p"] * 2, ["x", "y"], {"r": [1, 0]}, truth=[1, 0])


def test_chats_and_token_lists_become_texts(tmp_path):
    recorder = Recorder(tmp_path, rewards={"r": 1.0})
    chat = [{"role": "user", "content": "2+2?"}]
    told = [[{"role": "assistant", "content": "4"}], [{"role": "assistant", "content": "4", "tool_calls": []}]]
    recorder.add([chat, chat], told, {"r": [1, 0]}, columns={"length": [1, 2], "kind": ["a", None]})
    record(recorder, [[1, 2]] * 2, [[3], np.array([4])], {"r": [1, 0]})
    rows = pl.concat([pl.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet"))], how="diagonal")
    assert rows["prompt"].to_list() == ["user: 2+2?"] * 2 + ["[1, 2]"] * 2
    assert rows["completion"].to_list() == [
        "4",
        '[{"role": "assistant", "content": "4", "tool_calls": []}]',
        "[3]",
        "[4]",
    ]
    assert rows["length"].to_list() == [1.0, 2.0, None, None]
    assert recorder.close().to_dict()["counts"]["prompts"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rewards": {}}, "no reward of weight"),
        ({"rewards": {"r": 0.0}}, "no reward of weight"),
        ({"rewards": {"prompt": 1.0}}, "column of that name"),
        ({"rewards": {"effective": 1.0}}, "effective"),
        ({"rewards": {"r": 1.0}, "limits": {"ties": 1.0}}, "no figure 'ties'"),
        ({"rewards": {"r": 1.0}, "limits": {"tied_share": (None, None)}}, "is empty"),
        ({"rewards": {"r": 1.0}, "truth": "x"}, "no option 'truth'"),
        ({"rewards": {"r": 1.0}, "epsilon": -1.0}, "epsilon"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(tmp_path, options, message):
    with pytest.raises(InvalidInputError, match=message):
        Recorder(tmp_path, **options)


def test_a_folder_of_other_rollouts_is_refused(tmp_path):
    record(Recorder(tmp_path, rewards={"r": 1.0}), ["p"] * 2, ["x", "y"], {"r": [1, 0]})
    for options in ({"rewards": {"r": 2.0}}, {"rewards": {"r": 1.0}, "missing": "zero"}):
        with pytest.raises(InvalidInputError, match="another folder"):
            Recorder(tmp_path, **options)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="is a file"):
        Recorder(tmp_path / "file", rewards={"r": 1.0})


RANDOM_STATE = """
import random, sys
import numpy as np
from policycliff.integrations.recorder import Recorder

random.seed(1)
np.random.seed(1)
before = random.getstate(), np.random.get_state()[1].tolist()
with Recorder(sys.argv[1], rewards={"a": 1.0, "b": 0.1}, report=True) as recorder:
    for step in range(3):
        scores = {"a": [1, 1, 0, 0.5] * 8, "b": [0.3, 0.2, 0.2, 0.4] * 8}
        recorder.add(["p"] * 32, list("xyzz") * 8, scores, group_size=8, truth=[1, 0, 0, 1] * 8)
assert (random.getstate(), np.random.get_state()[1].tolist()) == before
"""


def test_global_random_state_is_left_alone(tmp_path):
    # In a process of its own: the checks of types that these tests run under draw random numbers.
    subprocess.run([sys.executable, "-W", "error", "-c", RANDOM_STATE, str(tmp_path)], check=True)
    assert (tmp_path / "audit" / "report.html").exists()
