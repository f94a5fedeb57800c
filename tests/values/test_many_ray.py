"""`executor="ray"`: the same results to the bit from two worker processes, and nothing lost when one is killed."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from core_oracles import brute_force, exact_error, garnet, random_mdp

from policycliff import KL, MDP, Entropy, solve, solve_many
from policycliff.errors import InvalidInputError, MissingExtraError, WorkerLostError
from policycliff.values import many_ray
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.many_rows import Plan, solve_rows

# How long to wait for another process before the test fails; nothing waits so long when all is well.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def ray():
    """A cluster of two workers."""
    package = pytest.importorskip("ray")
    package.init(
        address="local",
        num_cpus=2,
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield package
    package.shutdown()


@pytest.fixture
def small_pieces(monkeypatch):
    """Few rewards a task, so that small worlds make several."""
    monkeypatch.setattr(many_ray, "WORK_A_PIECE", 1)


def drawn(mdp, count, seed=0):
    rewards = np.random.default_rng(seed).normal(size=(count, mdp.n_pairs))
    return rewards * ~mdp.terminal[mdp.pair_states]


def assert_same(found, expected):
    for name in ("rewards", "values", "q_values", "error_bounds", "iterations"):
        mine, other = getattr(found, name), getattr(expected, name)
        assert mine.dtype == other.dtype
        assert np.array_equal(mine, other), name
        assert not mine.flags.writeable
    assert found.statuses == expected.statuses
    assert found.method == expected.method


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "another process is silent"
        time.sleep(0.01)


def named_world():
    kernel = np.random.default_rng(1).dirichlet(np.ones(40), (40, 3))
    names = [f"s{i}" for i in range(40)]
    return MDP.from_arrays(
        kernel, np.zeros((40, 3)), 0.95, state_names=names, action_names="abc", initial=np.eye(40)[0]
    )


def tree():
    kernel = np.eye(4)[[[1, 2], [3, 3], [3, 3], [3, 3]]] * (np.arange(4) < 3)[:, None, None]
    return MDP.from_arrays(kernel, np.zeros((4, 2)), 1.0, terminal=np.arange(4) == 3)


def large_world():
    kernel, rewards = garnet(1, states=4_100, actions=2, branching=2)
    return MDP.from_arrays(kernel, rewards, 0.7)


def reference(mdp):
    weights = np.where(np.isin(np.arange(mdp.n_pairs), mdp.offsets[:-1]), 1.0, np.arange(mdp.n_pairs) % 3)
    return weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states]


WORLDS = {
    "eight together": (named_world, "modified_policy_iteration"),
    "one by one": (lambda: random_mdp(seed=3, states=30, terminals=2, branching=2), "gauss_seidel"),
    "backward": (tree, "backward"),
    "gamma 0": (lambda: random_mdp(seed=3, gamma=0.0), "backward"),
    "beyond the cache": (large_world, "modified_policy_iteration"),
}


@pytest.mark.usefixtures("ray", "small_pieces")
@pytest.mark.parametrize("kind", ["hard", "entropy", "kl with zeros"])
@pytest.mark.parametrize("world", WORLDS)
def test_results_are_those_of_one_process(world, kind):
    make, method = WORLDS[world]
    mdp = make()
    regularizer = {"hard": None, "entropy": Entropy(0.3), "kl with zeros": KL(0.3, reference(mdp))}[kind]
    rewards = drawn(mdp, 21)
    found = solve_many(mdp, rewards, regularizer=regularizer, executor="ray")
    assert kind != "hard" or found.method == method
    assert_same(found, solve_many(mdp, rewards, regularizer=regularizer, threads=1))


@pytest.mark.usefixtures("ray", "small_pieces")
@pytest.mark.parametrize("count", [1, 8, 9, 150])
@pytest.mark.parametrize("threads", [None, 2])
def test_number_of_rewards_and_of_threads(count, threads):
    mdp = random_mdp(seed=2, states=20)
    rewards = drawn(mdp, count)
    found = solve_many(mdp, rewards, executor="ray", threads=threads)
    assert_same(found, solve_many(mdp, rewards))


@pytest.mark.usefixtures("ray", "small_pieces")
def test_settings_travel():
    mdp = random_mdp(seed=5, states=60, gamma=0.97, branching=3)
    settings = {"start": solve(mdp), "tolerance": 1e-6}
    rewards = mdp.rewards + 1e-3 * drawn(mdp, 16)
    assert_same(solve_many(mdp, rewards, executor="ray", **settings), solve_many(mdp, rewards, **settings))
    stopped = solve_many(mdp, rewards, executor="ray", max_iterations=1)
    assert set(stopped.statuses) == {"iteration_limit"}


@pytest.mark.usefixtures("ray", "small_pieces")
def test_each_is_within_its_bound_of_the_exact_optimum():
    mdp = random_mdp(seed=7, states=3)
    for solution in solve_many(mdp, np.round(drawn(mdp, 20), 1), executor="ray"):
        assert exact_error(solution.q_values, brute_force(solution.mdp)[1]) <= solution.error_bound <= 1e-10


@pytest.mark.usefixtures("ray", "small_pieces")
def test_blocks_are_solved_when_they_are_asked_for():
    mdp = random_mdp(seed=1)

    def blocks():
        yield drawn(mdp, 20, 0)
        yield drawn(mdp, 0, 0)
        yield drawn(mdp, 3, 1)
        raise RuntimeError("too early")

    found = solve_many(mdp, blocks(), executor="ray")
    for count, seed in ((20, 0), (0, 0), (3, 1)):
        assert_same(next(found), solve_many(mdp, drawn(mdp, count, seed)))
    with pytest.raises(RuntimeError, match="too early"):
        next(found)


@pytest.mark.usefixtures("ray", "small_pieces")
def test_both_workers_work(tmp_path, monkeypatch):
    def meet(plan, rewards):
        (tmp_path / str(os.getpid())).touch()
        end = time.monotonic() + PATIENCE
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        return solve_rows(plan, rewards)

    monkeypatch.setattr(many_ray, "solve_rows", meet)
    mdp = random_mdp(seed=2)
    rewards = drawn(mdp, 64)
    assert_same(solve_many(mdp, rewards, executor="ray"), solve_many(mdp, rewards))
    pids = {path.name for path in tmp_path.iterdir()}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


@pytest.mark.usefixtures("ray", "small_pieces")
def test_a_killed_worker_loses_nothing(tmp_path, monkeypatch):
    mdp = random_mdp(seed=2, states=20)
    rewards = drawn(mdp, 64)
    victim, runs = rewards[32, 0], tmp_path / "runs"

    def dies_once(plan, rewards):
        again = runs.exists() and repr(rewards[0, 0]) in runs.read_text()
        with runs.open("a") as file:
            file.write(f"{rewards[0, 0]!r}\n")
        if victim in rewards[:, 0] and not again:
            os.kill(os.getpid(), signal.SIGKILL)
        return solve_rows(plan, rewards)

    monkeypatch.setattr(many_ray, "solve_rows", dies_once)
    assert_same(solve_many(mdp, rewards, executor="ray"), solve_many(mdp, rewards))
    ran = runs.read_text().split("\n")[:-1]
    assert len(set(ran)) == 8  # two slots, four pieces each
    assert len(ran) == 9  # only what the dead worker had in hand was done again


@pytest.mark.usefixtures("ray", "small_pieces")
def test_rewards_that_kill_every_worker_are_named(tmp_path, monkeypatch):
    mdp = random_mdp(seed=2)
    rewards = drawn(mdp, 64)
    victim, deaths = rewards[16, 0], tmp_path / "deaths"

    def dies(plan, rewards):
        if victim in rewards[:, 0]:
            with deaths.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return solve_rows(plan, rewards)

    with monkeypatch.context() as patch:
        patch.setattr(many_ray, "solve_rows", dies)
        patch.setattr(many_ray, "RETRIES", 1)
        with pytest.raises(WorkerLostError, match=r"rows 16 to 23 of .*WorkerCrashedError.*is tried 2 times"):
            solve_many(mdp, rewards, executor="ray")
    assert deaths.read_text() == "xx"
    assert_same(solve_many(mdp, rewards, executor="ray"), solve_many(mdp, rewards))


@pytest.mark.usefixtures("ray", "small_pieces")
def test_an_error_in_a_worker_arrives_as_it_was(monkeypatch):
    def fails(plan, rewards):
        raise MemoryError("no room")

    monkeypatch.setattr(many_ray, "solve_rows", fails)
    mdp = random_mdp(seed=2)
    with pytest.raises(MemoryError, match="no room") as caught:
        solve_many(mdp, drawn(mdp, 1), executor="ray")
    assert type(caught.value) is MemoryError
    assert caught.value.__notes__ == ["In a Ray task, for rows 0 to 0 of the rewards."]


@pytest.mark.usefixtures("small_pieces")
def test_a_worker_that_cannot_start_a_task_is_reported(ray, monkeypatch):
    def fails(plan, rewards):
        # What Ray raises where an argument cannot be unpickled.
        raise ray.exceptions.RaySystemError("No module named 'policycliff'\nand a long traceback")

    monkeypatch.setattr(many_ray, "solve_rows", fails)
    mdp = random_mdp(seed=2)
    with pytest.raises(WorkerLostError, match=r"RaySystemError: .*No module named 'policycliff'\); .* on every node"):
        solve_many(mdp, drawn(mdp, 1), executor="ray")


@pytest.mark.usefixtures("small_pieces")
def test_an_interrupt_cancels_what_is_under_way(ray, tmp_path, monkeypatch):
    def endless(plan, rewards):
        end = time.monotonic() + PATIENCE
        try:
            (tmp_path / f"{os.getpid()} started").touch()
            while time.monotonic() < end:
                time.sleep(0.01)
        except KeyboardInterrupt:
            (tmp_path / f"{os.getpid()} cancelled").touch()
            raise

    def interrupted(*args, **options):
        wait_for(lambda: len(list(tmp_path.glob("* started"))) == 2)
        raise KeyboardInterrupt

    mdp = random_mdp(seed=2)
    rewards = drawn(mdp, 64)
    with monkeypatch.context() as patch:
        patch.setattr(many_ray, "solve_rows", endless)
        patch.setattr(ray, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            solve_many(mdp, rewards, executor="ray")
    wait_for(lambda: len(list(tmp_path.glob("* cancelled"))) == 2)
    # Both workers are free again.
    assert_same(solve_many(mdp, rewards, executor="ray", threads=2), solve_many(mdp, rewards))
    assert len(list(tmp_path.iterdir())) == 4


def test_a_cluster_is_started_where_there_is_none_and_kept(ray, monkeypatch):
    calls, connected = [], ray.is_initialized

    def start(**settings):
        calls.append(settings)
        monkeypatch.setattr(ray, "is_initialized", connected)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "shutdown", lambda: pytest.fail("the cluster is the user's"))
    mdp = random_mdp(seed=2)
    blocks = [drawn(mdp, 3, 0), drawn(mdp, 3, 1)]
    assert len(list(solve_many(mdp, iter(blocks), executor="ray"))) == 2
    # No address: Ray looks at RAY_ADDRESS first. No sizes: with those it refuses a cluster that runs.
    assert calls == [{"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}]


@pytest.mark.usefixtures("ray", "small_pieces")
def test_the_example_in_the_docs():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "many-rewards.md"
    blocks = [block.partition("```")[0] for block in page.read_text(encoding="utf-8").split("```python\n")[1:]]
    alone, spread = {}, {}
    exec(compile(blocks[0], page.name, "exec"), alone)
    exec(compile(blocks[1], page.name, "exec"), spread)
    assert 0 < sum(alone["flipped"]) < 100
    assert_same(spread["found"], solve_many(spread["mdp"], spread["noisy"]))


@pytest.mark.usefixtures("ray")
def test_more_threads_than_a_node_has_are_refused():
    mdp = random_mdp(seed=2)
    with pytest.raises(InvalidInputError, match=r"threads = 3 with executor = 'ray'; expected at most 2"):
        solve_many(mdp, drawn(mdp, 3), executor="ray", threads=3)


def test_without_ray_the_extra_is_named_before_work_starts(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"executor='ray' needs ray.*policycliff\[ray\]"):
        solve_many(random_mdp(seed=2), "no rewards", executor="ray")


class Cluster:
    """As much of the package as says how large the cluster is."""

    def __init__(self, *cpus):
        self.cpus = cpus

    def nodes(self):
        nodes = [{"Alive": True, "Resources": {"CPU": count} if count else {}} for count in self.cpus]
        return [*nodes, {"Alive": False, "Resources": {"CPU": 99.0}}]


@pytest.mark.parametrize(
    ("cpus", "threads", "slots"), [((2.0,), 1, 2), ((3.0, 5.0), 2, 3), ((0.0, 4.0), 1, 4), ((0.0,), 2, 1)]
)
def test_slots(cpus, threads, slots):
    assert many_ray._slots(Cluster(*cpus), threads) == slots


@pytest.mark.parametrize("count", [1, 8, 17, 1000, 100_003])
@pytest.mark.parametrize("slots", [1, 2, 64])
@pytest.mark.parametrize("method", ["modified_policy_iteration", "gauss_seidel"])
def test_pieces_cut_no_group_and_leave_no_reward_out(count, slots, method):
    mdp = random_mdp(seed=2, states=60, actions=5)
    plan = Plan(mdp, None, 1e-10, None, 100, 1, method, None)
    pieces = many_ray._pieces(plan, count, slots)
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(count))
    size = pieces[0].stop
    assert method == "gauss_seidel" or all(piece.start % COLUMNS == 0 for piece in pieces)
    assert size * 8 * (2 * mdp.n_pairs + mdp.n_states) <= many_ray.LARGEST_PIECE + 8 * COLUMNS * 3 * mdp.n_pairs
    assert len(pieces) <= many_ray.PIECES_A_SLOT * slots or size * mdp.successors.size >= many_ray.WORK_A_PIECE
