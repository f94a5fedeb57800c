"""The verdict on one MDP against brute force and the parts that it is put together from."""

import json
from pathlib import Path

import numpy as np
import pytest
from core_oracles import random_mdp, recipes
from hypothesis import given, settings

from policycliff import MDP, Entropy, analyze_mdp, read_source, solve, stability_radius, token_tree, total_variation
from policycliff.errors import InvalidInputError

TABLES = Path(__file__).parents[2] / "data" / "momdp_transitions.parquet"


@given(recipe=recipes(max_states=4))
@settings(max_examples=15, deadline=None)
def test_figures_are_those_of_the_parts(recipe):
    mdp = random_mdp(**recipe)
    found = analyze_mdp(mdp)
    radius = stability_radius(mdp)
    assert (found.radius.radius, found.radius.status) == (radius.radius, radius.status)
    assert found.reached_radius.bracket[1] >= found.radius.bracket[0]
    json.dumps(found.to_dict(), allow_nan=False)
    tied = any(finding.title.startswith("Tied states") and finding.value != "none" for finding in found.findings)
    assert tied == bool((found.actions.codes[~mdp.terminal] == 1).any())
    levels = [finding.level for finding in found.findings]
    assert levels == sorted(levels, key=["critical", "warning", "note", "good"].index)


@given(recipe=recipes(gammas=(0.0, 0.5, 0.9), max_states=3))
@settings(max_examples=10, deadline=None)
def test_the_temperature_holds_the_policy(recipe):
    mdp = random_mdp(**recipe)
    steady = analyze_mdp(mdp, reward_error=0.1).steadiness
    if steady.temperature == 0.0:
        return
    before = solve(mdp, regularizer=Entropy(steady.temperature))
    inner = ~mdp.terminal[mdp.pair_states]
    rng = np.random.default_rng(0)
    for _ in range(5):
        change = np.where(inner, rng.choice([-0.1, 0.1], mdp.n_pairs), 0.0)
        after = solve(mdp.with_rewards(mdp.rewards + change), regularizer=Entropy(steady.temperature))
        assert total_variation(before.policy, after.policy, mdp=mdp) <= 0.1 + 1e-7
    hard = solve(mdp)
    kernel, values = mdp.transitions.toarray(), np.zeros(mdp.n_states)
    for _ in range(2000):
        values = np.add.reduceat(before.policy * (mdp.rewards + mdp.gamma * kernel @ values), mdp.offsets[:-1])
    assert (hard.values - values).max() <= steady.regret_bound + 1e-6


def test_which_action_overtakes():
    names = {"state_names": ["s"], "action_names": ["stay", "go", "jump"]}
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.75]], 0.0, initial=[1.0], **names)
    text = next(f.text for f in analyze_mdp(bandit).findings if f.title == "Stability radius")
    assert "jump overtakes stay" in text
    assert analyze_mdp(bandit).radius.radius == pytest.approx(0.125)


def test_ties_off_the_path_are_a_note_only():
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 2] = kernel[0, 1, 1] = kernel[1, :, 2] = 1.0
    terminal = np.array([False, False, True])
    mdp = MDP.from_arrays(
        kernel, [[1.0, 0.0], [0.25, 0.25], [0.0, 0.0]], 0.5, terminal=terminal, initial=[1.0, 0.0, 0.0]
    )
    found = analyze_mdp(mdp)
    assert [f.level for f in found.findings if "Tied" in f.title] == ["note"]
    assert found.counts()["tied_and_reached"] == 0
    # Without a start every tie counts.
    free = analyze_mdp(MDP.from_arrays(kernel, [[1.0, 0.0], [0.25, 0.25], [0.0, 0.0]], 0.5, terminal=terminal))
    assert (free.findings[0].level, free.reached, free.reached_radius) == ("critical", None, None)


def test_what_ties_decide_of_the_components():
    tree = token_tree(["a", "b"], [0.0, 0.0])
    first, second = np.zeros(tree.n_pairs), np.zeros(tree.n_pairs)
    root = tree.offsets[int(np.argmax(tree.initial))]
    first[root], second[root + 1] = 1.0, 1.0
    found = analyze_mdp(tree, rewards=[first, second], weights=[0.5, 0.5], reward_names=["x", "y"])
    assert [(price.worst, price.best) for price in found.tie_prices] == [(0.0, 1.0), (0.0, 1.0)]
    assert (found.weight_radius.radius, found.weight_radius.status) == (0.0, "tied")
    off = analyze_mdp(tree, rewards=[first, second], weights=[0.75, 0.25])
    assert off.weight_radius.radius == pytest.approx(0.25)
    assert (off.tie_prices, len(off.component_radii)) == ((), 2)


def test_gamma_one_and_a_state_without_choice():
    found = analyze_mdp(token_tree(["ab"], [1.0]))
    assert found.radius.radius == np.inf
    assert any(finding.value == "infinite" for finding in found.findings)
    assert found.to_dict()["radius"]["radius"] is None


@pytest.mark.parametrize("name", ["breakable_bottles", "fruit_tree_5"])
def test_published_models(name):
    found = analyze_mdp(read_source(f"{TABLES}:{name}", gamma=0.95))
    assert found.radius.bracket[0] <= found.radius.bracket[1]
    assert repr(found).startswith("MDPAnalysis(")
    assert len(found.to_dict()["states"]) == found.source.mdp.n_states


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0, 2.0]}, "one a reward component"),
        ({"rewards": [1.0]}, "not a list of components"),
        ({"rewards": [[1.0, 0.0]], "reward_names": ["a", "b"]}, "2 entries in `reward_names`"),
        ({"rewards": [[np.nan, 0.0]]}, "nan"),
        ({"reward_error": -1.0}, "reward_error = -1.0"),
        ({"reward_error": float("nan")}, "reward_error = nan"),
        ({"weights": [np.inf]}, "inf"),
    ],
)
def test_bad_input(options, message):
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    with pytest.raises(InvalidInputError, match=message):
        analyze_mdp(bandit, **options)
