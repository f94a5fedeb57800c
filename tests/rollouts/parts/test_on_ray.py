"""`executor="ray"`: the figures of the parts on disk to the bit, and nothing lost when a worker is killed."""

import logging
import os
import pkgutil
import signal
import sys
import time
from dataclasses import replace

import polars as pl
import pytest
from audit_examples import rollouts
from same_figures import assert_same

from policycliff import audit
from policycliff.errors import InvalidInputError, MissingExtraError, TableError, WorkerLostError
from policycliff.rollouts.audit import audit_table, settings_from_options
from policycliff.rollouts.parts import on_ray, ray_data, scatter_on_ray
from policycliff.rollouts.parts.opened import Work
from policycliff.rollouts.reading import size
from policycliff.rollouts.reading.understand import opened

# How long to wait for another process before the test fails; nothing waits so long when all is well.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def ray():
    """A cluster of two workers, which keeps the processes it has started."""
    package = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    package.init(
        address="local",
        num_cpus=2,
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _system_config={"num_workers_soft_limit": 8},
    )
    yield package
    package.shutdown()


@pytest.fixture
def small_pieces(monkeypatch):
    """Few rows a batch, so that small tables make several pieces, and these several rounds."""
    monkeypatch.setattr(size, "_FEWEST_ROWS_A_BATCH", 5)
    monkeypatch.setattr(size, "_MOST_ROWS_A_BATCH", 5)
    monkeypatch.setattr(scatter_on_ray, "_PIECES_A_WORKER", 1)


ROLES = {"prompt": "prompt", "group": "prompt_id", "completion": "completion"}
REWARDS = {"rewards": {"passes": 1.0, "style": 0.2}}


def scattered(**columns):
    return rollouts().with_columns(**columns).sample(fraction=1.0, shuffle=True, seed=1)


def chat(column):
    return pl.concat_list(pl.struct(role=pl.lit("user"), content=pl.col(column)))


def rare_types():
    return scattered(
        prompt=chat("prompt"),
        completion=chat("completion"),
        model=pl.col("model").cast(pl.Categorical),
        prompt_id=pl.when(pl.col("prompt_id") == "p07").then(None).otherwise("prompt_id").cast(pl.Categorical),
        passes=pl.col("passes").cast(pl.Float32),
        style=pl.col("style").cast(pl.Decimal(10, 3)),
        correct=pl.col("correct").cast(pl.UInt64),
        answer=pl.col("answer").cast(pl.Enum(["alpha", "beta", "gamma", "delta"])),
        nothing=pl.lit(None),
        when=pl.lit("2026-01-01").str.to_datetime(),
    )


def conversations():
    return scattered(prompt=chat("prompt"), completion=chat("completion"))


def few():
    return scattered().filter(pl.col("prompt_id") < "p05")


def as_parquet(frame, folder):
    frame.write_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def as_files(frame, folder):
    for number, part in enumerate(frame.iter_slices(100)):
        part.write_parquet(folder / f"{number}.parquet")
    return folder


def as_csv(frame, folder):
    frame.write_csv(folder / "table.csv")
    return folder / "table.csv"


def as_json_lines(frame, folder):
    frame.write_ndjson(folder / "table.jsonl")
    return folder / "table.jsonl"


TABLES = {
    "truth, second scores, sources": (
        scattered,
        as_parquet,
        {**ROLES, **REWARDS, "truth": "correct", "rerun": {"style": "style_again"}, "source": "model"},
        3,
    ),
    "behaviours, steps, a derived column, a sample": (
        scattered,
        as_files,
        {
            **ROLES,
            **REWARDS,
            "behaviour": "answer",
            "step": "step",
            "noise": {"style": 0.05},
            "derive": {"brevity": "-n_chars"},
            "sample": 20,
        },
        3,
    ),
    "blocks of nameless rows": (rollouts, as_parquet, {**REWARDS, "group_size": 12, "completion": "completion"}, 4),
    "types of Polars, groups without a name": (
        rare_types,
        as_parquet,
        {**ROLES, **REWARDS, "behaviour": "answer", "source": "model", "truth": "correct"},
        3,
    ),
    "more parts than groups": (few, as_parquet, {**ROLES, **REWARDS}, 9),
    "one part": (scattered, as_parquet, {**ROLES, **REWARDS}, 1),
    "CSV": (scattered, as_csv, {**ROLES, **REWARDS, "step": "step", "truth": "correct"}, 3),
    "JSON Lines": (conversations, as_json_lines, {**ROLES, **REWARDS, "sample": 10}, 3),
}


def on(executor, table, options, *, parts=3, report=None):
    return audit_table(table, settings_from_options(options), Work(executor=executor, parts=parts), report)


def assert_equal(found, expected):
    assert found.result["settings"].pop("executor") == "ray"
    assert expected.result["settings"].pop("executor") == "disk"
    assert found.result == expected.result
    assert found.drop_list.equals(expected.drop_list)


@pytest.mark.usefixtures("ray", "small_pieces")
@pytest.mark.parametrize("name", TABLES)
def test_figures_are_those_of_parts_on_disk(name, tmp_path):
    make, write, options, parts = TABLES[name]
    table = write(make(), tmp_path)
    found = on("ray", table, options, parts=parts)
    assert found.result["settings"]["parts"] == parts
    assert_same(found, on("memory", table, options))
    assert_equal(found, on("disk", table, options, parts=parts))


@pytest.mark.usefixtures("ray", "small_pieces")
def test_a_relative_path_is_understood_elsewhere(tmp_path, monkeypatch, capfd):
    table = as_parquet(scattered(), tmp_path)
    monkeypatch.chdir(tmp_path)
    context = vars(scatter_on_ray.require_ray("ray.data").DataContext.get_current()).copy()
    heard = []
    found = on("ray", "*.parquet", {**ROLES, **REWARDS}, report=lambda *said: heard.append(said))
    assert_equal(found, on("disk", table, {**ROLES, **REWARDS}))
    # Reading is reported round by round; Ray Data is silent, and as it was.
    assert len([stage for stage, _ in heard if stage == "reading"]) > 3
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    assert capfd.readouterr() == ("", "")
    assert vars(scatter_on_ray.require_ray("ray.data").DataContext.get_current()) == context


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("fault", ["a broken file", "a score out of range", "scores that are missing"])
def test_what_is_wrong_is_said_as_of_parts_on_disk(fault, tmp_path, capfd):
    row = pl.int_range(pl.len())
    # Missing scores are in groups of several parts, and are counted over all.
    frame = scattered().with_columns(
        passes=pl.when((row == 123) | ((row > 123) & (row % 11 == 0) & ("missing" in fault)))
        .then(1e200 if "range" in fault else None if "missing" in fault else 1.0)
        .otherwise("passes")
    )
    table = tmp_path / "table.parquet"
    frame.write_parquet(table, compression="uncompressed", row_group_size=100)
    if fault == "a broken file":
        content = bytearray(table.read_bytes())
        content[len(content) // 3 : len(content) // 2] = b"\xff" * (len(content) // 2 - len(content) // 3)
        table.write_bytes(content)
    messages = []
    for executor in ("ray", "disk"):
        with pytest.raises(TableError) as caught:
            on(executor, table, {**ROLES, **REWARDS, "missing": "error"})
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert capfd.readouterr() == ("", "")
    assert ("table.parquet" in messages[0]) if fault == "a broken file" else ("row 124 " in messages[0])


@pytest.mark.usefixtures("ray", "small_pieces")
def test_rows_beyond_the_guess_of_their_number_are_read(tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)
    guess = replace(size.size_of(opened(table, settings_from_options(REWARDS)).source), rows=100)
    monkeypatch.setattr("policycliff.rollouts.parts.opened.size_of", lambda source: guess)
    assert on("ray", table, {**ROLES, **REWARDS}).result["counts"]["rows_read"] == 360


def dying(module, name, folder):
    """A function whose first caller is killed; where it runs, the module is as it stands in the file."""
    path = f"{module.__name__}.{name}"

    def dies(*arguments, **options):
        try:
            (folder / f"{name} died").touch(exist_ok=False)
        except FileExistsError:
            return pkgutil.resolve_name(path)(*arguments, **options)
        return os.kill(os.getpid(), signal.SIGKILL)

    return dies


@pytest.mark.usefixtures("ray", "small_pieces")
def test_killed_workers_lose_nothing(tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)
    for module, name in ((scatter_on_ray, "_read"), (scatter_on_ray, "_one_row"), (on_ray, "_on_part")):
        monkeypatch.setattr(module, name, dying(module, name, tmp_path))
    found = on("ray", table, {**ROLES, **REWARDS})
    assert sorted(path.name for path in tmp_path.glob("* died")) == ["_on_part died", "_one_row died", "_read died"]
    assert_equal(found, on("disk", table, {**ROLES, **REWARDS}))


@pytest.mark.usefixtures("ray")
def test_a_part_that_kills_every_worker_is_named(tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)

    def dies(shared, block, index, argument, **options):
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return pkgutil.resolve_name("policycliff.rollouts.parts.on_ray._on_part")(
            shared, block, index, argument, **options
        )

    monkeypatch.setattr(on_ray, "_on_part", dies)
    monkeypatch.setattr(on_ray, "RETRIES", 1)
    with pytest.raises(WorkerLostError, match=r"part 2 of 3 from Ray \(WorkerCrashedError.*is tried 2 times"):
        on("ray", table, {**ROLES, **REWARDS})


@pytest.mark.usefixtures("ray")
def test_rows_that_kill_every_worker_are_given_up(tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)

    def dies(pieces, reading):
        os.kill(os.getpid(), signal.SIGKILL)
        yield

    monkeypatch.setattr(scatter_on_ray, "_read", dies)
    monkeypatch.setattr(ray_data, "PATIENCE", 1)
    with pytest.raises(WorkerLostError, match=r"the table's rows from Ray \(ExecutionTimeoutError"):
        on("ray", table, {**ROLES, **REWARDS})


def test_an_interrupt_cancels_what_is_under_way(ray, tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)

    def endless(*arguments, **options):
        end = time.monotonic() + PATIENCE
        try:
            (tmp_path / f"{os.getpid()} started").touch()
            while time.monotonic() < end:
                time.sleep(0.01)
        except KeyboardInterrupt:
            (tmp_path / f"{os.getpid()} cancelled").touch()
            raise

    def interrupted(*arguments, **options):
        wait_for(lambda: len(list(tmp_path.glob("* started"))) == 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(on_ray, "_on_part", endless)
        patch.setattr(on_ray, "result_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            on("ray", table, {**ROLES, **REWARDS})
    wait_for(lambda: len(list(tmp_path.glob("* cancelled"))) == 2)


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "another process is silent"
        time.sleep(0.01)


def test_a_table_in_memory_is_refused():
    pytest.importorskip("ray.data")
    with pytest.raises(InvalidInputError, match=r"got a Polars data frame\. Write it to Parquet"):
        audit(rollouts(), executor="ray", **ROLES, **REWARDS)


@pytest.mark.parametrize("missing", ["ray", "ray.data"])
def test_without_ray_the_extra_is_named_before_work_starts(missing, tmp_path, monkeypatch):
    table = as_parquet(scattered(), tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"executor='ray' needs ray.*policycliff\[ray\]"):
        audit(table, executor="ray", **ROLES, **REWARDS)
