"""Environments as models: against the published tables, the environments' own steps, and what must be refused."""

import random
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from policycliff import extras, read_source, solve
from policycliff.errors import InvalidInputError, MissingExtraError
from policycliff.mdp.sources.draws import NotEnumerableError, decimal, outcomes
from policycliff.mdp.sources.enumeration import enumerated_source
from policycliff.mdp.sources.environments import parse_options

TABLES = Path(__file__).parents[2] / "data" / "momdp_transitions.parquet"
PUBLISHED = {
    "deep-sea-treasure-v0": ("deep_sea_treasure_convex", {}),
    "resource-gathering-v0": ("resource_gathering", {}),
    "breakable-bottles-v0": ("breakable_bottles", {}),
    "fruit-tree-v0": ("fruit_tree_6", {}),
    "mo-gymnasium:fruit-tree-v0": ("fruit_tree_5", {"depth": 5}),
}


@pytest.mark.parametrize("env_id", PUBLISHED)
def test_enumerated_models_equal_the_published_tables(env_id):
    pytest.importorskip("mo_gymnasium")
    name, options = PUBLISHED[env_id]
    ours, theirs = read_source(env_id, options=options), read_source(f"{TABLES}:{name}")
    for field in ("offsets", "actions", "indptr", "successors", "probabilities", "rewards", "terminal", "initial"):
        np.testing.assert_array_equal(getattr(ours.mdp, field), getattr(theirs.mdp, field), err_msg=field)
    np.testing.assert_array_equal(ours.rewards, theirs.rewards)
    assert (ours.reward_names, ours.mdp.state_names) == (theirs.reward_names, theirs.mdp.state_names)
    assert ours.mdp.action_names == theirs.mdp.action_names


def test_fishwood_counts_its_steps(monkeypatch):
    envs = pytest.importorskip("mo_gymnasium.envs.fishwood.fishwood")
    monkeypatch.setattr(envs.FishWood, "MAX_TS", 20)
    source = read_source("fishwood-v0", gamma=1.0)
    # Two places at each of 20 steps, one at the start; the last two are final.
    assert (source.mdp.n_states, int(source.mdp.terminal.sum()), source.mdp.is_acyclic) == (41, 2, True)
    # Half the wood and half the fish: one step in the wood, then always wood.
    assert solve(source.mdp).values[0] == pytest.approx(0.5 * 0.9 * 20, abs=1e-9)


def test_toy_text_models():
    pytest.importorskip("gymnasium")
    lake = read_source("FrozenLake-v1", gamma=0.9)
    assert (lake.mdp.n_states, int(lake.mdp.terminal.sum())) == (16, 5)
    # The value of the start, from the environment's own table by plain value iteration.
    import gymnasium

    table = gymnasium.make("FrozenLake-v1").unwrapped.P
    values = np.zeros(16)
    for _ in range(500):
        values = np.array(
            [
                max(sum(p * (r + 0.9 * values[t] * (not end)) for p, t, r, end in table[s][a]) for a in range(4))
                for s in range(16)
            ]
        )
    np.testing.assert_allclose(solve(lake.mdp).values[~lake.mdp.terminal], values[~lake.mdp.terminal], atol=1e-9)
    taxi = read_source("gymnasium:Taxi-v4", gamma=0.9)
    assert (taxi.mdp.n_states, int(taxi.mdp.terminal.sum())) == (404, 4)
    assert any("96 states" in note for note in taxi.notes)
    cliff = read_source("CliffWalking-v1", gamma=0.9)
    assert (cliff.mdp.n_states, int(cliff.mdp.terminal.sum())) == (38, 1)
    # 13 steps of -1, in whichever order.
    start = int(np.argmax(cliff.mdp.initial))
    assert solve(cliff.mdp).values[start] == pytest.approx(-(1 - 0.9**13) / 0.1)


def test_a_state_that_both_ends_and_goes_on_is_doubled():
    pytest.importorskip("gymnasium")
    from policycliff.mdp.sources.toy_text import toy_text_source

    env = Circle()
    source = toy_text_source(env, "circle", gamma=0.5)
    assert source.mdp.state_names == ("0", "1", "0 (end)")
    # From 0 always on to 1 (reward 0); from 1 back to 0 for 1 and on, or the end for 1.5.
    assert solve(source.mdp).values[1] == pytest.approx(1.5)


class Circle:
    """Two states; action 1 of state 1 ends the episode in state 0."""

    initial_state_distrib = np.array([1.0, 0.0])
    P = {  # noqa: RUF012 - as Gymnasium has it
        0: {0: [(1.0, 1, 0.0, False)], 1: [(1.0, 1, 0.0, False)]},
        1: {0: [(1.0, 0, 1.0, False)], 1: [(1.0, 0, 1.5, True)]},
    }

    def reset(self, seed=None):
        self.s = 0
        return 0, {}

    def step(self, action):
        _, self.s, reward, ends = self.P[self.s][action][0]
        return self.s, reward, ends, False, {}


@pytest.mark.parametrize(
    ("env_id", "options", "message"),
    [
        ("Blackjack-v1", {}, "no table `P`"),
        ("CartPole-v1", {}, "no table `P`"),
        ("Nope-v3", {}, "can be made"),
        ("FrozenLake-v1", {"nope": 1}, "can be made"),
        ("Taxi-v4", {"fickle_passenger": True}, "fickle_passenger"),
    ],
)
def test_environments_without_a_model_are_refused(env_id, options, message):
    pytest.importorskip("gymnasium")
    with pytest.raises(InvalidInputError, match=message):
        read_source(env_id, options=options)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("mo-gymnasium:minecart-v0", "holds an object of type"),
        ("mo-gymnasium:mo-mountaincar-v0", "a random draw by 'uniform'"),
        ("mo-gymnasium:water-reservoir-v0", "finitely many actions"),
    ],
)
def test_models_that_are_not_finite_or_not_readable_are_refused(env_id, message):
    pytest.importorskip("mo_gymnasium")
    with pytest.raises(InvalidInputError, match=message):
        read_source(env_id)


def test_unbreakable_bottles_have_no_bound():
    pytest.importorskip("mo_gymnasium")
    with pytest.raises(InvalidInputError, match="more than 100 states"):
        read_source("breakable-bottles-v0", options={"unbreakable_bottles": True}, max_states=100)


class Room:
    """A corridor of three cells with hidden trouble, switched on by `kind`."""

    def __init__(self, kind):
        self.kind, self.cell, self._np_random = kind, 0, np.random.default_rng(0)
        self.action_space, self.observation_space = SimpleNamespace(n=2, start=0), SimpleNamespace(dtype=None)
        self.seen = [] if kind == "list" else 0
        self.other = object() if kind == "object" else None

    def reset(self, seed=None):
        if seed is not None:
            self._np_random = np.random.default_rng(seed)
        self.cell = 0
        self.seen = [] if self.kind == "list" else 0
        return np.array([self.cell]), {}

    def step(self, action):
        slip = {
            "global": lambda: np.random.random() < 0.5,  # noqa: NPY002 - the trouble
            "module": lambda: random.random() < 0.5,
            "normal": lambda: self._np_random.normal() < 0.0,
            "sum": lambda: self._np_random.random() + 0.5 < 1.0,
        }.get(self.kind, lambda: self._np_random.random() < 0.25)()
        if self.kind == "list":
            self.seen = [*self.seen, action][-1:]
        self.cell = min(self.cell + int(action == 1 and not slip), 2)
        return np.array([self.cell]), np.array([self.cell, -0.1], dtype=np.float32), self.cell == 2, False, {}


def enumerate_room(kind):
    quiet = {"gamma": 0.9, "notes": (), "max_states": 50, "progress": lambda stage, share: None}
    return enumerated_source(Room(kind), kind, **quiet)


@pytest.mark.parametrize("kind", ["plain", "list", "module"])
def test_a_room_by_hand(kind):
    source = enumerate_room(kind)
    slip = 0.5 if kind == "module" else 0.25
    assert source.mdp.n_states == 3
    kernel = source.mdp.transitions.toarray()
    np.testing.assert_array_equal(kernel[1], [slip, 1.0 - slip, 0.0])
    # The expected reward of the second component is -0.1, not its float32 neighbour.
    np.testing.assert_array_equal(source.rewards[1], [-0.1, -0.1, -0.1, -0.1, 0.0])
    np.testing.assert_array_equal(source.rewards[0][:4], [0.0, 1.0 - slip, 1.0, 1.0 + 1.0 - slip])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("global", "global random generator"),
        ("normal", "a random draw by 'normal'"),
        ("sum", "arithmetic"),
        ("object", "type object"),
    ],
)
def test_hidden_trouble_is_found(kind, message):
    with pytest.raises(NotEnumerableError, match=message):
        enumerate_room(kind)


def test_the_module_random_is_as_before():
    before = random.random
    enumerate_room("plain")
    assert random.random is before


def test_outcomes_add_up_and_intervals_are_exact():
    def twice(rng):
        first = rng.random()
        return (first < 0.3, first < 0.7, rng.integers(3), rng.choice(["a", "b"], p=[0.25, 0.75]))

    found = list(outcomes(twice))
    assert sum(p for p, _ in found) == 1
    assert len(found) == 3 * 3 * 2
    assert sum(p for p, result in found if result[:2] == (False, True)) == Fraction(2, 5)
    assert not any(result[0] and not result[1] for _, result in found)
    # Against sampling.
    rng, draws = np.random.default_rng(0), 4000
    share = np.mean([0.3 <= rng.random() < 0.7 for _ in range(draws)])
    assert abs(share - 0.4) < 5 * (0.24 / draws) ** 0.5
    assert decimal(np.float32(0.7)) == Fraction(7, 10)


def test_a_missing_package_names_the_extra(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"policycliff\[gym\]"):
        read_source("FrozenLake-v1")


def test_options_from_text():
    assert parse_options({"a": "1", "b": "none", "c": "x y"}) == {"a": 1, "b": None, "c": "x y"}
    with pytest.raises(InvalidInputError, match="options for environments only"):
        read_source("model.json", options={"a": 1})


@pytest.mark.parametrize(
    ("env_id", "options", "message"),
    [
        ("FrozenLake-v1", {"is_slippery": "maybe"}, r"is_slippery = 'maybe' of FrozenLake-v1; expected true or false"),
        ("FrozenLake-v1", {"is_slippery": 0.5}, "is_slippery = 0.5 .*true or false"),
        ("FrozenLake-v1", {"success_rate": "high"}, "success_rate = 'high' .*a number"),
        ("FrozenLake-v1", {"success_rate": True}, "success_rate = True .*a number"),
        ("FrozenLake-v1", {"map_name": 3}, "'map_name': 3"),
        ("fruit-tree-v0", {"depth": "deep"}, "depth = 'deep' .*a number; by default it is 6"),
    ],
)
def test_options_of_another_kind_are_refused(env_id, options, message):
    pytest.importorskip("mo_gymnasium")
    with pytest.raises(InvalidInputError, match=message):
        read_source(env_id, options=options)
