"""MDPs in files: what is written comes back bit for bit, and what is wrong is named with file, state and action."""

import json
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import garnet, random_mdp, recipes, trees
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, solve, token_tree
from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.mdp.files import load_mdp, save_mdp

ARRAYS = ("offsets", "actions", "indptr", "successors", "probabilities", "rewards", "terminal", "initial")


def same(first, second):
    for name in ARRAYS:
        a, b = getattr(first, name), getattr(second, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes(), name
            assert not b.flags.writeable
    assert (first.gamma, first.state_names, first.action_names) == (
        second.gamma,
        second.state_names,
        second.action_names,
    )
    assert first.is_acyclic == second.is_acyclic


def exact_deviation(mdp):
    """Largest distance of an exact row sum from 1."""
    rows = zip(mdp.indptr, mdp.indptr[1:], strict=False)
    sums = [sum(map(Fraction, mdp.probabilities[a:b].tolist())) for a, b in rows if b > a]
    return max((abs(total - 1) for total in sums), default=0)


@pytest.mark.parametrize("ending", [".npz", ".json"])
@given(recipe=recipes(gammas=(0.0, 0.9, 0.1 + 0.2), max_states=5), named=st.booleans())
@settings(max_examples=40, deadline=None)
def test_round_trip(tmp_path_factory, ending, recipe, named):
    mdp = random_mdp(**recipe)
    if named:
        states = [f"state {i}\u00e9\n" for i in range(mdp.n_states)]
        names = {"state_names": states, "action_names": [f"a{i}" for i in range(recipe["actions"] + 1)]}
        mdp = MDP.from_pairs(
            mdp.pair_states,
            mdp.transitions,
            mdp.rewards,
            mdp.gamma,
            actions=mdp.actions,
            terminal=mdp.terminal,
            initial=mdp.initial,
            **names,
        )
    place = tmp_path_factory.mktemp("files") / f"mdp{ending}"
    save_mdp(mdp, place)
    loaded = load_mdp(place)
    same(mdp, loaded)
    assert loaded.row_sum_error >= exact_deviation(loaded)
    assert solve(loaded).values.tobytes() == solve(mdp).values.tobytes() or loaded.row_sum_error != mdp.row_sum_error


@pytest.mark.parametrize("ending", [".npz", ".json"])
@given(tree=trees())
@settings(max_examples=20, deadline=None)
def test_round_trip_of_trees(tmp_path_factory, ending, tree):
    mdp = token_tree(*tree)
    place = tmp_path_factory.mktemp("files") / f"mdp{ending}"
    save_mdp(mdp, place)
    same(mdp, load_mdp(place))


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_round_trip_of_a_larger_one_and_odd_cases(tmp_path, ending):
    kernel, rewards = garnet(0, states=500, actions=4, branching=5)
    mdp = MDP.from_arrays(kernel, rewards, 0.99, initial=np.random.default_rng(0).dirichlet(np.ones(500)))
    place = tmp_path / f"mdp{ending}"
    save_mdp(mdp, place)
    same(mdp, load_mdp(place))
    # An existing file is replaced; one terminal state alone; a minus zero and a very small reward.
    save_mdp(MDP.from_arrays(np.zeros((1, 1, 1)), [[0.0]], 1.0, terminal=np.array([True])), place)
    assert load_mdp(place).n_pairs == 1
    odd = MDP.from_pairs([0, 0], np.ones((2, 1)), [-0.0, 5e-324], 0.5, actions=[7, 3])
    save_mdp(odd, place)
    same(odd, load_mdp(place))
    assert [file.name for file in tmp_path.iterdir()] == [f"mdp{ending}"]


def test_the_documented_json(tmp_path):
    text = """{"gamma": 0.9,
     "states": [{"name": "start", "initial": 1.0,
                 "actions": [{"name": "go", "reward": 1.0, "next": {"end": 0.5, "start": 0.5}}]},
                {"name": "end", "terminal": true}]}"""
    (tmp_path / "a.json").write_text(text)
    mdp = load_mdp(tmp_path / "a.json")
    assert (mdp.state_names, mdp.action_names) == (("start", "end"), ("go",))
    np.testing.assert_allclose(solve(mdp).values, [1.0 / (1.0 - 0.45), 0.0])
    plain = {"gamma": 0, "states": [{"actions": [{"reward": 1, "next": [[0, 0.25], ["0", 0.75]]}]}]}
    (tmp_path / "b.json").write_text(json.dumps(plain))
    assert load_mdp(tmp_path / "b.json").initial is None


def test_arrays_in_npz(tmp_path):
    kernel = np.full((2, 2, 2), 0.5)
    np.savez(tmp_path / "a.npz", transitions=kernel, rewards=np.eye(2), gamma=0.5, state_names=["x", "y"])
    assert load_mdp(tmp_path / "a.npz").state_names == ("x", "y")
    mask = np.array([[True, False], [True, True]])
    np.savez(
        tmp_path / "b.npz",
        indptr=[0, 1, 2, 3, 4],
        indices=[0, 0, 1, 1],
        data=np.ones(4),
        rewards=np.eye(2),
        gamma=0.5,
        available=mask,
    )
    assert load_mdp(tmp_path / "b.npz").n_pairs == 3
    np.savez(tmp_path / "c.npz", states=[0, 1], transitions=np.eye(2), rewards=[0.0, 1.0], gamma=0.5)
    assert load_mdp(tmp_path / "c.npz").n_pairs == 2


def state(name="s0", **fields):
    return {"name": name, "actions": [{"name": "a", "reward": 1.0, "next": {"s0": 1.0}}], **fields}


def action(**fields):
    return [{"name": "a", "reward": 1.0, "next": {"s0": 1.0}} | fields]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"gamma": 0.9, "states": [{"name"', "mdp.json: .*ends early"),
        ("", "mdp.json: .*ends early"),
        ('{"gamma": 0.9,, "states": []}', "breaks at line 1, column 15"),
        ("[1]", "the file that is a list"),
        ({"states": [state()]}, "no 'gamma'"),
        ({"gamma": 0.9, "states": []}, "a list without entries"),
        ({"gamma": "0.9", "states": [state()]}, "`gamma` that is a text"),
        ({"gamma": 1.5, "states": [state()]}, "gamma = 1.5"),
        ({"gamma": 1, "states": [state()]}, "cycle through state 0 .'s0'"),
        ({"gamma": 0.9, "states": [state(), state()]}, "'s0' for state 0 and for state 1"),
        ({"gamma": 0.9, "states": [state(), {"actions": []}]}, "no name for state 1"),
        ({"gamma": 0.9, "states": [state(), {"name": "s1"}]}, "no pair for state 1 .'s1'"),
        ({"gamma": 0.9, "states": [state(terminal="yes")]}, "`terminal` of state 0 that is a text"),
        ({"gamma": 0.9, "states": [state(initial=0.5)]}, "sum 0.5"),
        ({"gamma": 0.9, "states": [state(rewards=1)]}, "the key 'rewards' in state 0"),
        ({"gamma": 0.9, "states": [state(actions=action(rewrd=1))]}, "Did you mean 'reward'"),
        (
            {"gamma": 0.9, "states": [state(actions=action(next={"s1": 1.0}))]},
            "'s1' in action 0 .'a'. of state 0 .'s0'",
        ),
        (
            {"gamma": 0.9, "states": [state(actions=action(next={"s0": 0.9}))]},
            "sum to 0.9 at state 0 .'s0'., action 0 .'a'",
        ),
        ({"gamma": 0.9, "states": [state(actions=action(next={"s0": float("nan")}))]}, "NaN or infinite at state 0"),
        ({"gamma": 0.9, "states": [state(actions=action(reward=float("nan")))]}, "reward nan at state 0 .'s0'"),
        ({"gamma": 0.9, "states": [state(actions=action(reward=True))]}, "the reward of .* that is true or false"),
        ({"gamma": 0.9, "states": [state(actions=action(reward=10**400))]}, "too large"),
        ({"gamma": 0.9, "states": [state(actions=action(next=1))]}, "`next` of .* that is a number"),
        ({"gamma": 0.9, "states": [state(actions=action() + action())]}, "action 0 .'a'. twice"),
        ({"gamma": 0.9, "states": [state()], "action_names": ["b"]}, "the action 'a' at state 0"),
        ('{"gamma": 0, "states": [{"actions": [{"reward": 1, "next": {"0": 0.5, "0": 0.5}}]}]}', "'0' twice"),
    ],
)
def test_wrong_json(tmp_path, content, message):
    (tmp_path / "mdp.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InvalidInputError, match=message) as caught:
        load_mdp(tmp_path / "mdp.json")
    assert str(caught.value).startswith("mdp.json: ")


GOOD = {"transitions": np.ones((1, 1, 1)), "rewards": np.ones((1, 1)), "gamma": 0.5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": None}, "no key 'rewards'"),
        ({"transitions": None}, "no key 'transitions'"),
        ({"reward": 1.0}, r"unknown keys \['reward'\]"),
        ({"gamma": [0.5]}, r"`gamma` of shape \(1,\)"),
        ({"state_names": [1]}, "a vector of strings"),
        ({"rewards": [[np.nan]]}, "reward nan at state 0, action 0"),
        ({"transitions": [[[0.5]]]}, "sum to 0.5 at state 0"),
        ({"state_names": np.array(["a"], dtype=object)}, "not a complete .npz archive"),
        ({"transitions": None, "indptr": [0, 1]}, "no key 'indices'"),
        (
            {"transitions": None, "indptr": [0, 1], "indices": [5], "data": [1.0], "shape": [1, 1]},
            "do not fit together",
        ),
        ({"transitions": None, "indptr": [0, 2], "indices": [0], "data": [1.0]}, "do not fit together"),
    ],
)
def test_wrong_npz(tmp_path, changes, message):
    entries = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    np.savez(tmp_path / "mdp.npz", **entries)
    with pytest.raises(InvalidInputError, match=message) as caught:
        load_mdp(tmp_path / "mdp.npz")
    assert str(caught.value).startswith("mdp.npz: ")


def test_a_file_that_was_cut_off(tmp_path):
    np.savez(tmp_path / "mdp.npz", **GOOD)
    whole = (tmp_path / "mdp.npz").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "mdp.npz").write_bytes(whole[:length])
        with pytest.raises(InvalidInputError, match=r"mdp.npz: .*not a complete .npz archive"):
            load_mdp(tmp_path / "mdp.npz")


@pytest.mark.parametrize(("mark", "offset"), [(b"PK\x01\x02", 6), (b"PK\x01\x02", 10), (b"PK\x01\x02", 8)])
def test_npz_with_a_version_a_compression_or_a_key_that_nobody_knows(tmp_path, mark, offset):
    np.savez(tmp_path / "mdp.npz", **GOOD)
    whole = bytearray((tmp_path / "mdp.npz").read_bytes())
    whole[whole.index(mark) + offset] = 0x6F
    (tmp_path / "mdp.npz").write_bytes(whole)
    with pytest.raises(InvalidInputError, match=r"mdp.npz: .*not a complete .npz archive"):
        load_mdp(tmp_path / "mdp.npz")
    np.save(tmp_path / "single.npy", np.ones(3))
    (tmp_path / "single.npy").rename(tmp_path / "mdp.npz")
    with pytest.raises(InvalidInputError, match="single array"):
        load_mdp(tmp_path / "mdp.npz")


def test_other_files(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"none\.json"):
        load_mdp(tmp_path / "none.json")
    for call in (load_mdp, lambda path: save_mdp(random_mdp(0), path)):
        with pytest.raises(InvalidInputError, match=r"ends in \.npz or \.json"):
            call(tmp_path / "mdp.txt")
    (tmp_path / "mdp.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match="not JSON in UTF-8"):
        load_mdp(tmp_path / "mdp.json")


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    place = tmp_path / "mdp.npz"
    save_mdp(random_mdp(0), place)
    before = place.read_bytes()

    def breaks(file, **entries):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", breaks)
    with pytest.raises(InvalidInputError, match="No space left"):
        save_mdp(random_mdp(1), place)
    assert place.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mdp.npz"]
    with pytest.raises(InvalidInputError, match="folder that exists"):
        save_mdp(random_mdp(0), tmp_path / "no" / "mdp.npz")


def test_a_name_that_numpy_would_change(tmp_path):
    mdp = MDP.from_arrays(np.ones((1, 1, 1)), [[1.0]], 0.5, state_names=["a\0"])
    with pytest.raises(InvalidInputError, match="zero character"):
        save_mdp(mdp, tmp_path / "mdp.npz")
    assert list(tmp_path.iterdir()) == []
    save_mdp(mdp, tmp_path / "mdp.json")
    assert load_mdp(tmp_path / "mdp.json").state_names == ("a\0",)
