"""Bounds on the soft policy against random and adversarial perturbations, solved by dense value iteration."""

import json
from itertools import pairwise, product

import numpy as np
import pytest
from core_oracles import garnet, random_mdp, recipes, trees
from hypothesis import given, settings
from hypothesis import strategies as st
from soft_oracles import reference_for, soft_optimum, state_tv

from policycliff import MDP, soft_policy_bounds, token_tree, uniform_policy
from policycliff.cliffs.soft import certified as soft_certified
from policycliff.cliffs.soft.certified import largest_cumulant, largest_gibbs_shift
from policycliff.cliffs.soft.problem import make_problem
from policycliff.errors import InvalidInputError

PROVEN = ("linear", "sharp", "mixing", "certified")


def shift_under(mdp, change, temperature, base=None):
    before = soft_optimum(mdp, temperature, base=base)
    return state_tv(mdp, before, soft_optimum(mdp, temperature, rewards=mdp.rewards + change, base=base))


def check_order(bounds):
    columns = [getattr(bounds, name) for name in PROVEN]
    for larger, smaller in pairwise(columns):
        assert (smaller <= larger * (1 + 1e-12)).all()
    assert (bounds.measured <= bounds.certified).all()
    assert bounds.worst("linear") <= bounds.paper_bound * (1 + 1e-9)


@given(
    recipes(gammas=(0.0, 0.5, 0.9), max_states=4),
    st.sampled_from([0.01, 0.2, 2.0]),
    st.sampled_from([0.05, 0.4, 3.0]),
    st.sampled_from(["entropy", "kl", "zeros"]),
    st.booleans(),
)
@settings(max_examples=60)
def test_no_perturbation_beats_the_bounds(recipe, epsilon, temperature, kind, unequal):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    base = None if kind == "entropy" else reference_for(mdp, recipe["seed"], zeros=kind == "zeros")
    widths = rng.integers(0, 3, mdp.n_pairs) / 2.0 if unequal else np.ones(mdp.n_pairs)
    bounds = soft_policy_bounds(
        mdp, epsilon, temperature, reference_policy=base, half_widths=widths, starts=3, seed=recipe["seed"]
    )
    check_order(bounds)
    ball = epsilon * widths * ~mdp.terminal[mdp.pair_states]
    worst = np.zeros(mdp.n_states)
    for signs in (*(rng.choice([-1.0, 1.0], mdp.n_pairs) for _ in range(6)), rng.uniform(-1.0, 1.0, mdp.n_pairs)):
        worst = np.maximum(worst, shift_under(mdp, ball * signs, temperature, base))
    for name in PROVEN:
        assert (worst <= getattr(bounds, name) + 1e-9).all(), name
    # The measured shift is real: its perturbation is in the ball and does what is said.
    assert (np.abs(bounds.change) <= ball * (1 + 1e-15)).all()
    found = shift_under(mdp, bounds.change, temperature, base).max()
    assert found == pytest.approx(bounds.worst("measured"), abs=1e-8)


@given(recipes(gammas=(0.5, 0.9), max_states=2, max_actions=2), st.sampled_from([0.05, 0.5]))
@settings(max_examples=25)
def test_search_finds_the_worst_vertex_of_small_balls(recipe, epsilon):
    mdp = random_mdp(**recipe)
    bounds = soft_policy_bounds(mdp, epsilon, 1.0)
    free = ~mdp.terminal[mdp.pair_states]
    worst = np.max(
        [shift_under(mdp, epsilon * free * signs, 1.0) for signs in product((-1.0, 1.0), repeat=mdp.n_pairs)]
    )
    assert worst <= bounds.worst("certified") + 1e-9
    assert bounds.worst("measured") == pytest.approx(worst, rel=0.02, abs=1e-9)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), st.booleans())
@settings(max_examples=40)
def test_the_certified_bound_is_tight_to_first_order(recipe, towards_reference):
    mdp = random_mdp(**recipe)
    base = reference_for(mdp, recipe["seed"]) if towards_reference else None
    epsilon = 1e-5
    bounds = soft_policy_bounds(mdp, epsilon, 1.0, reference_policy=base)
    np.testing.assert_allclose(bounds.certified, epsilon * bounds.local, rtol=5e-3, atol=1e-9)
    np.testing.assert_allclose(bounds.measured.max(), bounds.certified.max(), rtol=5e-3, atol=1e-9)


def sharp_world(epsilon, gamma):
    """A choice between an absorbing state that gains and one that loses; the reward at the choice moves too."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = kernel[1, :, 1] = kernel[2, :, 2] = 1.0
    available = np.array([[True, True], [True, False], [True, False]])
    start = epsilon / (2 * (1 - gamma))
    # Before the change the first action trails by 2 * start, after it it leads by as much: TV = tanh(start / alpha).
    return MDP.from_arrays(kernel, [[-start, start], [0.0, 0.0], [0.0, 0.0]], gamma, available=available)


@pytest.mark.parametrize("epsilon", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_the_sharp_bound_is_attained_and_found(epsilon, gamma):
    mdp = sharp_world(epsilon, gamma)
    bounds = soft_policy_bounds(mdp, epsilon, 0.7)
    expected = np.tanh(epsilon / (2 * 0.7 * (1 - gamma)))
    for name in ("sharp", "mixing", "certified", "measured"):
        assert bounds.worst(name) == pytest.approx(expected, rel=1e-6), name
    assert bounds.paper_bound == pytest.approx(np.arctanh(expected) if expected < 1 else np.inf, rel=1e-5)


@given(trees(), st.sampled_from([0.1, 1.0]), st.booleans())
@settings(max_examples=30)
def test_trees_at_gamma_1(tree, epsilon, outcome_only):
    mdp = token_tree(*tree)
    free = ~mdp.terminal[mdp.pair_states]
    mask = mdp.action_names is not None and np.array([mdp.action_names[action] == "<end>" for action in mdp.actions])
    bounds = soft_policy_bounds(mdp, epsilon, 0.5, mask=mask & free if outcome_only else None, starts=3)
    assert bounds.paper_bound == np.inf
    check_order(bounds)
    ball = epsilon * (mask & free if outcome_only else free)
    rng = np.random.default_rng(0)
    for _ in range(5):
        found = shift_under(mdp, ball * rng.choice([-1.0, 1.0], mdp.n_pairs), 0.5)
        assert (found <= bounds.certified + 1e-9).all()
    if outcome_only:
        assert (bounds.linear <= epsilon / (2 * 0.5) * (1 + 1e-9)).all()  # the horizon is 1, whatever the length


def test_mixing_uses_the_kernel():
    """All rows alike: tau = 0, and the future does not matter at all."""
    mdp = MDP.from_arrays(np.full((3, 2, 3), 1 / 3), np.arange(6.0).reshape(3, 2) / 3, 0.99)
    bounds = soft_policy_bounds(mdp, 0.1, 1.0)
    assert bounds.mixing == pytest.approx(np.tanh(0.1 / 2))
    assert bounds.worst("sharp") > 0.99


def test_the_mixing_formula_of_the_theory():
    mdp = random_mdp(5, states=4, actions=3, gamma=0.9)
    kernel, owners = mdp.transitions.toarray(), mdp.pair_states
    distance = 0.5 * np.abs(kernel[:, None] - kernel[None]).sum(axis=2)
    tau = distance.max()
    bounds = soft_policy_bounds(mdp, 0.3, 0.8, starts=0)
    for state in range(4):
        tau_s = distance[np.ix_(owners == state, owners == state)].max()
        if (owners == state).sum() > 1:
            expected = np.tanh(0.3 / 1.6 * (1 + 0.9 * tau_s / (1 - 0.9 * tau)))
            assert bounds.mixing[state] == pytest.approx(expected, rel=1e-9)


def test_doeblin_bounds_the_coefficient_of_many_rows(monkeypatch):
    from policycliff.cliffs.soft import problem as soft_problem

    mdp = random_mdp(5, states=4, actions=3, gamma=0.9)
    exact = soft_problem.kernel_variation(mdp)
    monkeypatch.setattr(soft_problem, "PAIRWISE_LIMIT", 0)
    assert exact <= soft_problem.kernel_variation(mdp) <= 1.0


def test_large_worlds_skip_the_certified_bound(monkeypatch):
    kernel, rewards = garnet(4, states=200, actions=3, branching=4)
    mdp = MDP.from_arrays(kernel, rewards, 0.9, initial=np.eye(200)[0])
    small = soft_policy_bounds(mdp, 0.1, 1.0, states=[0, 7], starts=2)
    monkeypatch.setattr(soft_certified, "ENTRY_LIMIT", 0)
    large = soft_policy_bounds(mdp, 0.1, 1.0, states=[0, 7], starts=2)
    np.testing.assert_array_equal(large.certified, large.mixing)
    np.testing.assert_allclose(large.local, small.local)
    assert (small.certified < 0.9 * small.mixing).all()
    assert soft_policy_bounds(mdp, 0.1, 1.0, starts=1).states.size == 32


def test_many_actions_are_bracketed():
    rng = np.random.default_rng(2)
    mdp = MDP.from_arrays(np.ones((1, 30, 1)), [rng.normal(size=30)], 0.0)
    bounds = soft_policy_bounds(mdp, 0.01, 1.0)
    policy = soft_optimum(mdp, 1.0)
    sums = [policy[rng.random(30) < 0.5].sum() for _ in range(3000)]
    # In a bandit d pi(B) = p (1 - p) * 2 / alpha.
    assert max(2 * p * (1 - p) for p in sums) <= bounds.local_high[0]
    assert bounds.local[0] <= bounds.local_high[0] <= 1.1 * bounds.local[0]
    assert bounds.measured[0] <= bounds.certified[0]


@pytest.mark.parametrize("temperature", [1e-3, 1e-2])
def test_cold_policies_far_from_a_tie_hardly_move(temperature):
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.0, 0.0]], 0.5)
    bounds = soft_policy_bounds(mdp, 0.1, temperature)
    assert bounds.sharp[0] > 0.99
    assert bounds.certified[0] < 1e-8
    check_order(bounds)
    near = soft_policy_bounds(mdp, 1.0, temperature)
    assert near.certified[0] > 0.99
    assert near.measured[0] > 0.4


@given(st.floats(1e-4, 200.0), st.floats(0.0, 0.5))
@settings(max_examples=60)
def test_extremes_over_probabilities(d, others):
    p = np.concatenate([np.linspace(0, others, 400), np.linspace(1 - others, 1, 400)])
    logs = np.logaddexp(np.log1p(-np.minimum(p[1:-1], 1 - 1e-16)), np.log(np.maximum(p[1:-1], 1e-300)) + d)
    cumulant = np.concatenate([[0.0], logs - p[1:-1] * d])
    shift = np.exp(np.log(np.maximum(p[1:-1], 1e-300)) + d - logs) - p[1:-1]
    found = largest_cumulant(np.array([d]), np.array([others]))[0]
    assert cumulant.max() * (1 - 1e-9) - 1e-12 <= found <= d**2 / 8 * (1 + 1e-8)
    assert found <= cumulant.max() + 0.01 * d + 1e-9
    gibbs = largest_gibbs_shift(np.array([d]), np.array([others]))[0]
    assert shift.max() - 1e-12 <= gibbs <= np.tanh(d / 4) * (1 + 1e-12)


def test_means_stand_beside_the_maximum():
    mdp = random_mdp(3, states=4, actions=3)
    bounds = soft_policy_bounds(mdp, 0.1, 1.0)
    for name in PROVEN:
        assert getattr(bounds, name).min() <= bounds.means[name] <= bounds.worst(name)
    assert 0.0 < bounds.means["measured"] <= bounds.means["certified"]
    assert soft_policy_bounds(sharp_world(0.1, 0.5), 0.1, 1.0).means is None


def test_nothing_moves_without_room():
    mdp = random_mdp(3, states=3, actions=2, terminals=1)
    for options in ({"epsilon": 0.0}, {"epsilon": 1.0, "mask": np.zeros(mdp.n_pairs, dtype=bool)}):
        epsilon = options.pop("epsilon")
        bounds = soft_policy_bounds(mdp, epsilon, 0.5, **options)
        assert [bounds.worst(name) for name in (*PROVEN, "measured")] == [0.0] * 5
    single = soft_policy_bounds(random_mdp(0, actions=1), 1.0, 1.0)
    assert [single.worst(name) for name in (*PROVEN, "local", "measured")] == [0.0] * 6


def test_json_and_text():
    bounds = soft_policy_bounds(token_tree(["a", "b"], [1.0, 0.0]), 0.1, 0.5)
    assert json.loads(json.dumps(bounds.to_dict()))["paper_bound"] is None
    assert "certified" in repr(bounds)
    assert len(repr(bounds)) < 800


BAD = [
    ({"epsilon": -0.1}, "epsilon = -0.1"),
    ({"epsilon": np.nan}, "epsilon = nan"),
    ({"epsilon": np.inf}, "epsilon = inf"),
    ({"temperature": 0.0}, "temperature = 0.0"),
    ({"temperature": -1.0}, "temperature = -1.0"),
    ({"temperature": np.nan}, "temperature = nan"),
    ({"reference_policy": [0.5, 0.4]}, "sum 0.9"),
    ({"reference_policy": [1.5, -0.5]}, "minimum -0.5"),
    ({"reference_policy": [0.5, 0.3, 0.2]}, r"shape \(3,\)"),
    ({"mask": [True]}, r"shape \(1,\)"),
    ({"half_widths": [1.0, -1.0]}, "half-width -1.0 at pair 1"),
    ({"half_widths": [1.0, np.nan]}, "nan in `half_widths`"),
    ({"half_widths": [1.0, 1.0], "mask": [True, True]}, "both `mask` and `half_widths`"),
    ({"states": [1]}, r"`states` \[1\]"),
    ({"states": []}, r"`states` \[\]"),
    ({"states": [0.5]}, r"`states` \[0.5\]"),
    ({"starts": -1}, "starts = -1"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input(options, message):
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    given_ = {"epsilon": 0.1, "temperature": 1.0, **options}
    with pytest.raises(InvalidInputError, match=message):
        soft_policy_bounds(mdp, given_.pop("epsilon"), given_.pop("temperature"), **given_)


def test_reference_zeros_are_left_out():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[9.0, 1.0, 1.0]], 0.0)
    bounds = soft_policy_bounds(mdp, 0.1, 0.5, reference_policy=[0.0, 0.5, 0.5])
    coin = soft_policy_bounds(MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0), 0.1, 0.5)
    assert bounds.policy.tolist() == [0.0, 0.5, 0.5]
    assert bounds.change[0] == 0.0
    assert bounds.certified[0] == pytest.approx(coin.certified[0])
    assert make_problem(mdp, reference_policy=[0.0, 0.5, 0.5], mask=None, half_widths=None).mdp.n_pairs == 2


def test_a_uniform_reference_is_entropy():
    mdp = random_mdp(8, states=3, actions=3)
    entropy, kl = (
        soft_policy_bounds(mdp, 0.1, 0.5, reference_policy=base, starts=2) for base in (None, uniform_policy(mdp))
    )
    if (np.diff(mdp.offsets) == np.diff(mdp.offsets)[0]).all():
        np.testing.assert_allclose(entropy.local, kl.local, rtol=1e-9)
    np.testing.assert_allclose(entropy.linear, kl.linear)
