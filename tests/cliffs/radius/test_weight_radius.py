"""The radius of mixture weights against linear programs (HiGHS), grids of weights and full enumeration."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, policies, random_mdp, recipes, tie_between_futures
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from policycliff import MDP, effective_reward, solve, stability_radius, token_tree
from policycliff.cliffs.radius.weight_moves import best_change, cheapest_move, potential, size
from policycliff.errors import InvalidInputError


def coefficient_rows(mdp, rewards, weights):
    """Gap and coefficients (K, or K * S) of every rival pair, by dense inverses."""
    world = mdp.with_rewards(effective_reward(rewards, weights, mdp=mdp))
    best = np.flatnonzero(solve(world).policy)
    kernel, owners = dense(mdp), mdp.pair_states
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[best])
    for pair in np.setdiff1d(np.arange(mdp.n_pairs), best):
        row = (mdp.gamma * kernel[pair] - np.eye(mdp.n_states)[owners[pair]]) @ inverse
        d = np.zeros(mdp.n_pairs)
        d[best], d[pair] = row, 1.0
        contribution = d * rewards
        if weights.ndim == 1:
            yield -float(d @ world.rewards), contribution.sum(axis=1)
        else:
            by_state = [np.bincount(owners, weights=line, minlength=mdp.n_states) for line in contribution]
            yield -float(d @ world.rewards), np.array(by_state)


def program(gap, c, weights, norm):
    """The linear program of one pair: min t, with t at least the norm of delta in each state."""
    c, w = np.atleast_2d(c.T).reshape(-1, c.shape[0]), np.atleast_2d(weights.T).reshape(-1, weights.shape[0])
    blocks, k = w.shape
    n = blocks * k
    # variables: delta (n), its absolute value (n), t
    eye = np.eye(n)
    above = [np.hstack([eye, -eye, np.zeros((n, 1))]), np.hstack([-eye, -eye, np.zeros((n, 1))])]
    if norm == "inf":
        above.append(np.hstack([np.zeros((n, n)), eye, -np.ones((n, 1))]))
    else:
        above.append(np.hstack([np.zeros((blocks, n)), np.kron(np.eye(blocks), np.ones(k)), -np.ones((blocks, 1))]))
    above.append(np.hstack([-c.reshape(1, n), np.zeros((1, n + 1))]))
    upper = np.vstack(above)
    right = np.append(np.zeros(len(upper) - 1), -gap)
    equal = np.hstack([np.kron(np.eye(blocks), np.ones(k)), np.zeros((blocks, n + 1))])
    bounds = [(-weight, None) for weight in w.ravel()] + [(0, None)] * (n + 1)
    cost = np.append(np.zeros(2 * n), 1.0)
    result = linprog(cost, A_ub=upper, b_ub=right, A_eq=equal, b_eq=np.zeros(blocks), bounds=bounds, method="highs")
    return result.fun if result.status == 0 else np.inf


def radius_by_programs(mdp, rewards, weights, norm):
    return min((program(gap, c, weights, norm) for gap, c in coefficient_rows(mdp, rewards, weights)), default=np.inf)


def make_tuple(mdp, seed, components, *, by_state=False, zero=False):
    rng = np.random.default_rng([seed, 7])
    rewards = rng.normal(size=(components, mdp.n_pairs)) * ~mdp.terminal[mdp.pair_states]
    weights = (
        rng.dirichlet(np.ones(components), size=mdp.n_states).T if by_state else rng.dirichlet(np.ones(components))
    )
    if zero and components > 2:
        weights = np.vstack([weights[:-1], 0.0 * weights[-1:]]) if by_state else np.append(weights[:-1], 0.0)
    return rewards, weights


def greedy(mdp):
    return np.flatnonzero(solve(mdp, tolerance=1e-12).policy)


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.integers(1, 4), st.booleans(), st.booleans(), st.sampled_from(["inf", "1"]))
@settings(max_examples=80)
def test_against_linear_programs(recipe, components, by_state, zero, norm):
    mdp = random_mdp(**recipe)
    rewards, weights = make_tuple(mdp, recipe["seed"], components, by_state=by_state, zero=zero)
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights", norm=norm)
    expected = radius_by_programs(mdp, rewards, weights, norm)
    assert result.radius == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert result.bracket[0] <= result.radius <= result.bracket[1]
    if not np.isfinite(result.radius):
        assert not result.witness.any()
        assert (result.state, result.action) == (-1, -1)
        return
    assert result.status == "exact"
    assert result.bracket[1] - result.bracket[0] <= 1e-8 * result.bracket[1] + 1e-12
    check_witness(mdp, rewards, weights, result)


def check_witness(mdp, rewards, weights, result):
    """Feasible, of the right size, and where it ends the policy is tied: just inside not, just outside flipped."""
    delta = result.witness
    assert delta.shape == weights.shape
    np.testing.assert_allclose(delta.sum(axis=0), 0.0, atol=1e-12)
    assert (weights + delta >= -1e-12).all()
    order = {"inf": np.inf, "1": 1, "2": 2}[result.norm]
    columns = delta.reshape(len(delta), -1)
    assert max(np.linalg.norm(columns, ord=order, axis=0)) == pytest.approx(result.radius)

    def world(share):
        return mdp.with_rewards(effective_reward(rewards, weights + share * delta, mdp=mdp))

    before = greedy(world(0.0))
    np.testing.assert_array_equal(greedy(world(0.999)), before)
    # Beyond the witness the weights may be negative; the reward is linear in them all the same.
    assert (greedy(world(1.001)) != before).any()


@given(recipes(gammas=(0.0, 0.9)), st.integers(2, 3), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=25)
def test_nothing_inside_flips(recipe, components, by_state, seed):
    mdp = random_mdp(**recipe)
    rewards, weights = make_tuple(mdp, recipe["seed"], components, by_state=by_state)
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights", norm="1")
    before = greedy(mdp.with_rewards(effective_reward(rewards, weights, mdp=mdp)))
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = rng.dirichlet(0.3 * np.ones(components), size=mdp.n_states).T if by_state else None
        other = rng.dirichlet(0.3 * np.ones(components)) if other is None else other
        step = other - weights
        largest = np.abs(step).sum(axis=0).max()
        moved = weights + step * min(1.0, 0.999 * result.radius / largest)
        np.testing.assert_array_equal(greedy(mdp.with_rewards(effective_reward(rewards, moved, mdp=mdp))), before)


@given(recipes(gammas=(0.0, 0.9)), st.integers(2, 4), st.booleans())
@settings(max_examples=25)
def test_the_euclidean_norm_against_a_solver(recipe, components, zero):
    mdp = random_mdp(**recipe)
    rewards, weights = make_tuple(mdp, recipe["seed"], components, zero=zero)
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights", norm="2")
    best = np.inf
    for gap, c in coefficient_rows(mdp, rewards, weights):
        if c.max() <= 0.0:
            continue
        vertex = np.eye(components)[int(np.argmax(c))] - weights
        found = minimize(
            lambda x: x @ x,
            vertex,
            jac=lambda x: 2.0 * x,
            method="SLSQP",
            bounds=[(-w, None) for w in weights],
            constraints=[
                {"type": "eq", "fun": lambda x: x.sum(), "jac": np.ones_like},
                {"type": "ineq", "fun": lambda x, c=c, gap=gap: (c @ x - gap) / np.linalg.norm(c)},
            ],
            options={"ftol": 1e-15, "maxiter": 500},
        )
        best = min(best, np.linalg.norm(found.x))
    assert result.radius == pytest.approx(best, rel=1e-3, abs=1e-6)
    if np.isfinite(result.radius):
        assert result.status == "exact"
        assert result.bracket[1] <= result.bracket[0] * (1 + 1e-6) + 1e-9
        check_witness(mdp, rewards, weights, result)


@given(recipes(gammas=(0.5, 0.9)), st.integers(2, 3), st.sampled_from(["inf", "1"]))
@settings(max_examples=25)
def test_weights_of_each_state_are_never_farther_than_constant_ones(recipe, components, norm):
    mdp = random_mdp(**recipe)
    rewards, weights = make_tuple(mdp, recipe["seed"], components)
    spread = np.repeat(weights[:, None], mdp.n_states, axis=1)
    options = {"rewards": rewards, "moving": "weights", "norm": norm}
    constant = stability_radius(mdp, weights=weights, **options)
    assert stability_radius(mdp, weights=spread, **options).bracket[0] <= constant.bracket[1]


@given(
    st.lists(st.lists(st.integers(-4, 4), min_size=3, max_size=3), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any),
    st.floats(0.01, 1.0),
    st.sampled_from(["inf", "1", "2"]),
)
def test_a_move_is_feasible_and_no_smaller_one_is_enough(rows, weights, share, norm):
    c = np.array(rows[:1] if norm == "2" else rows, dtype=float)
    w = np.tile(np.array(weights, dtype=float), (len(c), 1))
    most = potential(c, w)
    if most <= 0.0:
        return
    move = cheapest_move(c, w, target=share * most, norm=norm)
    assert (w + move.delta >= -1e-12).all()
    np.testing.assert_allclose(move.delta.sum(axis=1), 0.0, atol=1e-12)
    assert (c * move.delta).sum() == pytest.approx(share * most)
    assert size(move.delta, norm) <= move.high * (1 + 1e-12)
    assert move.low <= move.high <= move.low * (1 + 1e-7) + 1e-12
    if norm != "2":
        less = best_change(c, w, budget=0.999 * move.low, norm=norm)
        assert (c * less).sum() < share * most


# Ties and borders ------------------------------------------------------------------------------------------------


def bandit(*components):
    return MDP.from_arrays(np.ones((1, len(components[0]), 1)), np.zeros((1, len(components[0]))), 0.0), components


def test_a_known_bandit():
    mdp, rewards = bandit([1.0, 0.0], [0.0, 3.0])
    for norm, expected in (("inf", 0.05), ("1", 0.1), ("2", 0.05 * np.sqrt(2.0))):
        result = stability_radius(mdp, rewards=rewards, weights=[0.8, 0.2], moving="weights", norm=norm)
        assert result.radius == pytest.approx(expected)
        np.testing.assert_allclose(result.witness, [-0.05, 0.05])
        assert (result.state, result.action, result.status) == (0, 1, "exact")


def test_a_tie_at_the_border_is_no_flip():
    """Under the second component alone both actions tie; no weights prefer the other one."""
    mdp, rewards = bandit([1.0, 0.0], [0.0, 0.0])
    for norm in ("inf", "1", "2"):
        result = stability_radius(mdp, rewards=rewards, weights=[0.5, 0.5], moving="weights", norm=norm)
        assert (result.radius, result.status) == (np.inf, "exact")


@pytest.mark.parametrize("weights", [[0.5, 0.5], [[0.5], [0.5]]])
def test_ties_that_weights_break_and_that_they_do_not(weights):
    mdp, rewards = bandit([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights")
    assert (result.radius, result.status, result.action) == (0.0, "tied", 1)
    mdp, rewards = bandit([1.0, 1.0, 0.0], [0.0, 0.0, 0.5])
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights")
    assert result.radius == pytest.approx(1 / 6)
    assert (result.action, result.status) == (2, "exact")


def test_a_tie_with_a_weight_of_zero_counts_in_both_directions():
    """The third component has weight 0 and can only lower the second action: the optimal set still shrinks."""
    mdp, rewards = bandit([1.0, 1.0], [0.0, 0.0], [0.0, -1.0])
    result = stability_radius(mdp, rewards=rewards, weights=[0.5, 0.5, 0.0], moving="weights")
    assert (result.radius, result.status) == (0.0, "tied")


def tied_tuple(n_states):
    """The second component earns by action 1 what the first earns by action 0."""
    kernel, rewards, gamma = tie_between_futures(n_states)
    return MDP.from_arrays(kernel, rewards, gamma), np.stack([rewards, rewards[:, ::-1]])


@pytest.mark.parametrize("by_state", [False, True])
def test_what_floating_point_cannot_decide(by_state):
    """In the first state the futures are equal under both components: no constant weights break that tie."""
    mdp, rewards = tied_tuple(4)
    weights = np.array([0.75, 0.25])
    if by_state:
        weights = np.repeat(weights[:, None], mdp.n_states, axis=1)
    options = {"rewards": rewards, "moving": "weights", "norm": "1"}
    sharp = stability_radius(mdp, weights=weights, exact=True, **options)
    if by_state:
        assert (sharp.radius, sharp.status) == (0.0, "tied")
    else:
        assert sharp.radius == pytest.approx(0.5, rel=1e-12)
        assert sharp.status == "exact"
        assert sharp.bracket[1] - sharp.bracket[0] < 1e-12
    mdp, options["rewards"] = tied_tuple(64)
    if by_state:
        weights = np.repeat(weights[:, :1], mdp.n_states, axis=1)
    vague = stability_radius(mdp, weights=weights, **options)
    assert (vague.radius, vague.bracket[0], vague.status) == (0.0, 0.0, "unresolved")
    assert stability_radius(mdp, weights=weights, exact=True, **options).radius == pytest.approx(sharp.radius)


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.booleans(), st.sampled_from(["inf", "1"]))
@settings(max_examples=25)
def test_exact_brackets_lie_within_the_floating_ones(recipe, by_state, norm):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    rewards = rng.integers(-2, 3, (3, mdp.n_pairs)) / 1.0 * ~mdp.terminal[mdp.pair_states]
    weights = np.array([0.5, 0.25, 0.25])
    weights = np.stack([rng.permutation(weights) for _ in range(mdp.n_states)], axis=1) if by_state else weights
    options = {"rewards": rewards, "weights": weights, "moving": "weights", "norm": norm}
    sharp, plain = stability_radius(mdp, exact=True, **options), stability_radius(mdp, **options)
    assert sharp.status in {"exact", "tied"}
    assert plain.bracket[0] <= sharp.bracket[1] * (1 + 1e-12)
    assert sharp.bracket[0] <= plain.bracket[1] * (1 + 1e-12)
    assert sharp.radius == pytest.approx(plain.radius, abs=1e-9)


def test_fractions_of_a_bandit():
    mdp, rewards = bandit([1.0, 0.25], [0.5, 3.0])
    result = stability_radius(mdp, rewards=rewards, weights=[0.875, 0.125], moving="weights", exact=True)
    # gap = 0.875 * 0.75 - 0.125 * 2.5 = 11/32; a unit from the first to the second component gains 3.25
    truth = Fraction(11, 32) / Fraction(13, 4)
    assert Fraction(result.bracket[0]) <= truth <= Fraction(result.bracket[1])
    assert result.bracket[1] - result.bracket[0] < 1e-14


# gamma = 1, reachability, raw weights ----------------------------------------------------------------------------


def test_a_tree_at_gamma_one_by_enumeration():
    tree = token_tree(["ab", "ac", "d"], [0.0, 0.0, 0.0])
    leaf_rewards = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.25]])
    rewards = np.array([token_tree(["ab", "ac", "d"], line).rewards for line in leaf_rewards])
    weights = np.array([0.9, 0.1])
    result = stability_radius(tree, rewards=rewards, weights=weights, moving="weights", norm="1")
    grid = np.linspace(0.0, 0.9, 90001)
    returns = (weights[:, None] + np.stack([-grid, grid])).T @ leaf_rewards
    first = grid[np.argmax(returns.argmax(axis=1) != returns[0].argmax())]
    assert result.radius == pytest.approx(2 * first, abs=1e-4)


def test_reachable_states_only_is_a_bracket():
    mdp = random_mdp(3, states=3, actions=2, gamma=0.5, terminals=1)
    rewards, weights = make_tuple(mdp, 3, 3)
    options = {"rewards": rewards, "weights": weights, "moving": "weights"}
    whole = stability_radius(mdp, **options)
    reached = stability_radius(mdp, reachable_only=True, **options)
    assert reached.bracket[0] >= whole.bracket[0]
    assert reached.reachable_only


def test_states_off_every_path_do_not_count():
    kernel = np.zeros((3, 2, 3))
    kernel[:, :, 1] = 1.0
    kernel[2, :, 1], terminal = 1.0, np.array([False, True, False])
    kernel[1] = 0.0
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 0.9, terminal=terminal, initial=[1.0, 0.0, 0.0])
    rewards = np.array([[1.0, 0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 1.0]])
    rewards[1, 4] = 2.9
    options = {"rewards": rewards, "weights": [0.75, 0.25], "moving": "weights", "norm": "1"}
    assert stability_radius(mdp, **options).state == 2
    reached = stability_radius(mdp, reachable_only=True, **options)
    assert (reached.state, reached.status) == (0, "exact")
    assert reached.radius == pytest.approx(0.5)


def test_raw_weights_keep_their_sum():
    mdp, rewards = bandit([1.0, 0.0], [0.0, 3.0])
    result = stability_radius(mdp, rewards=rewards, weights=[8.0, 2.0], moving="weights", norm="1")
    assert result.radius == pytest.approx(1.0)


def test_against_every_policy_on_a_grid():
    """Two components: walk along the simplex and find the first weights under which another policy is better."""
    for seed in range(6):
        mdp = random_mdp(seed, states=3, actions=2, gamma=0.9)
        rewards, weights = make_tuple(mdp, seed, 2)
        result = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights")
        kernel, table = dense(mdp), []
        for choice in policies(mdp):
            inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[choice])
            table.append((inverse @ rewards[:, choice].T).sum(axis=0))
        values = np.array(table)
        best = int(np.argmax(values @ weights))
        steps = np.linspace(-1.0, 1.0, 20001)
        steps = steps[(weights[0] + steps >= 0) & (weights[1] - steps >= 0)]
        lost = [np.argmax(values @ (weights + np.array([t, -t]))) != best for t in steps]
        nearest = np.abs(steps[lost]).min(initial=np.inf)
        assert result.radius == pytest.approx(nearest, abs=2e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "3"}, "norm = '3'"),
        ({"weights": [[0.5], [0.5]], "norm": "2"}, "constant weights only"),
        ({"weights": [1.5, -0.5]}, "weight -0.5 at index"),
        ({"mask": [True, True]}, "`mask` with moving = 'weights'"),
        ({"per_state": True}, "`per_state` with moving"),
        ({"weights": None}, "`rewards` without `weights`"),
        ({"rewards": None}, "`weights` without `rewards`"),
        ({"rewards": [1.0, 2.0]}, "not a list of components"),
        ({"rewards": [[1.0, np.nan], [0.0, 0.0]]}, "nan"),
        ({"component": 0}, "component = 0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    mdp, rewards = bandit([1.0, 0.0], [0.0, 3.0])
    with pytest.raises(InvalidInputError, match=message):
        stability_radius(mdp, **{"rewards": rewards, "weights": [0.8, 0.2], "moving": "weights", **options})


def test_summaries():
    mdp, rewards = bandit([1.0, 0.0], [0.0, 3.0])
    result = stability_radius(mdp, rewards=rewards, weights=[0.8, 0.2], moving="weights")
    assert repr(result).startswith("WeightRadius(0.05 in the inf-norm of the weights, exact; at state 0, action 1")
    assert result.to_dict()["witness"] == result.witness.tolist()
    alone = stability_radius(mdp, rewards=rewards[:1], weights=[1.0], moving="weights")
    assert (alone.radius, alone.to_dict()["radius"], alone.pairs_solved) == (np.inf, None, 0)
