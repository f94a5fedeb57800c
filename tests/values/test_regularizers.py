import numpy as np
import pytest
from core_oracles import dense, random_mdp
from scipy.special import logsumexp

from policycliff import KL, MDP, Entropy, soft_policy, solve, token_tree, uniform_policy
from policycliff.errors import InvalidInputError

ITERATIVE = ["value_iteration", "policy_iteration", "modified_policy_iteration"]


def reference(mdp, seed):
    """A random policy with some zeros, over pairs."""
    rng = np.random.default_rng(seed)
    raw = rng.random(mdp.n_pairs) * (rng.random(mdp.n_pairs) < 0.7)
    raw[mdp.offsets[:-1]] += 0.1
    return raw / np.add.reduceat(raw, mdp.offsets[:-1])[mdp.pair_states]


def plain_soft_iteration(mdp, temperature, base):
    """Soft value iteration with SciPy's logsumexp until nothing changes."""
    kernel, v = dense(mdp), np.zeros(mdp.n_states)
    for _ in range(400):
        q = mdp.rewards + mdp.gamma * (kernel @ v)
        blocks = zip(np.split(q, mdp.offsets[1:-1]), np.split(base, mdp.offsets[1:-1]), strict=True)
        new = np.array([temperature * logsumexp(block / temperature, b=weights) for block, weights in blocks])
        if np.abs(new - v).max() == 0.0:
            break
        v = new
    return q


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("temperature", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("kind", ["entropy", "kl"])
@pytest.mark.parametrize("terminals", [0, 1])
def test_soft_optimum_against_plain_iteration(method, temperature, kind, terminals):
    mdp = random_mdp(4, states=5, terminals=terminals)
    policy = reference(mdp, 1)
    regularizer = Entropy(temperature) if kind == "entropy" else KL(temperature, policy)
    base = np.ones(mdp.n_pairs) if kind == "entropy" else policy
    solution = solve(mdp, method=method, regularizer=regularizer)
    np.testing.assert_allclose(solution.q_values, plain_soft_iteration(mdp, temperature, base), rtol=1e-11, atol=1e-10)
    assert solution.error_bound <= 1e-10 or solution.status == "rounding_floor"


@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("method", ITERATIVE)
def test_temperatures_from_tiny_to_huge(temperature, method):
    mdp = random_mdp(6)
    solution = solve(mdp, method=method, regularizer=Entropy(temperature))
    assert np.isfinite(solution.q_values).all()
    assert solution.error_bound <= 1e-10 * max(1.0, temperature)
    sums = np.add.reduceat(solution.policy, mdp.offsets[:-1])
    np.testing.assert_allclose(sums, 1.0, rtol=1e-13)


def test_limits_of_the_temperature():
    mdp = random_mdp(6)
    cold = solve(mdp, regularizer=Entropy(1e-6))
    np.testing.assert_allclose(cold.policy, solve(mdp).policy, atol=1e-12)
    hot = solve(mdp, regularizer=KL(1e6, reference(mdp, 2)))
    np.testing.assert_allclose(hot.policy, reference(mdp, 2), atol=1e-4)


def test_no_action_outside_the_reference():
    mdp = random_mdp(6)
    policy = reference(mdp, 2)
    solution = solve(mdp, regularizer=KL(0.1, policy))
    np.testing.assert_array_equal(solution.policy > 0.0, policy > 0.0)


def test_kl_optimum_on_a_tree_is_a_gibbs_measure_on_completions():
    sequences, rewards = ["ab", "ac", "d", "abx"], np.array([1.0, 0.5, 0.2, -1.0])
    tree = token_tree(sequences, rewards)
    base = uniform_policy(tree)
    solution = solve(tree, regularizer=KL(0.7, base))

    def chance(policy, sequence):
        state, result = 1, 1.0
        for token in [*sequence, "<end>"]:
            pair = tree.pair(state, tree.action_names.index(token))
            state, result = int(tree.successors[tree.indptr[pair]]), result * policy[pair]
        return result

    weights = np.array([chance(base, sequence) for sequence in sequences]) * np.exp(rewards / 0.7)
    optimum = [chance(solution.policy, sequence) for sequence in sequences]
    np.testing.assert_allclose(optimum, weights / weights.sum(), rtol=1e-12)


def test_soft_policy_does_not_overflow():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0)
    np.testing.assert_array_equal(
        soft_policy(bandit, np.array([1e300, -1e300, 0.0]), regularizer=Entropy(1e-6)), [1, 0, 0]
    )
    base = np.array([1e-300, 0.5, 0.5])
    np.testing.assert_allclose(soft_policy(bandit, np.zeros(3), regularizer=KL(1.0, base)), base)


def test_policy_error_bound_is_the_hyperbolic_tangent():
    solution = solve(random_mdp(6), regularizer=Entropy(0.5), tolerance=1e-3)
    assert solution.policy_error_bound == pytest.approx(np.tanh(solution.error_bound))


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(InvalidInputError, match="temperature"):
        Entropy(temperature)
    with pytest.raises(InvalidInputError, match="temperature"):
        KL(temperature, [1.0])


@pytest.mark.parametrize(
    ("policy", "message"), [([0.5, 0.6], "sum 1.1"), ([1.5, -0.5], "minimum -0.5"), ([1.0], "shape")]
)
def test_reference_must_be_a_policy(policy, message):
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    with pytest.raises(InvalidInputError, match=message):
        solve(bandit, regularizer=KL(1.0, policy))


def test_summaries():
    assert repr(KL(0.5, [1.0])) == "KL(temperature=0.5, reference_policy over 1 pairs)"
    assert Entropy(2.0).to_dict() == {"kind": "entropy", "temperature": 2.0}
    solution = solve(random_mdp(6), regularizer=KL(1.0, uniform_policy(random_mdp(6))))
    assert solution.to_dict()["regularizer"] == {"kind": "kl", "temperature": 1.0}
    assert "KL(" in repr(solution)
