"""Instances repeat by seed, are of the kinds they say, and many of them are degenerate."""

import numpy as np
import pytest
from core_oracles import brute_force

from policycliff import effective_reward, optimal_actions, solve
from policycliff.statements.instances import KINDS, built_in_instances, random_instance
from policycliff.statements.measure import measured_q, measured_soft_q, stochastic_values


def test_the_same_seed_gives_the_same_instance():
    for seed in range(16):
        first, second = random_instance(seed).mdp, random_instance(seed).mdp
        assert (first.rewards == second.rewards).all()
        assert (first.probabilities == second.probabilities).all()


def test_instances_of_all_kinds_have_a_start_and_many_are_tied():
    tied = dict.fromkeys(KINDS, 0)
    for seed in range(160):
        mdp = random_instance(seed).mdp
        assert mdp.initial is not None
        assert mdp.initial.sum() == pytest.approx(1.0)
        actions = optimal_actions(solve(mdp), exact=True)
        tied[KINDS[seed % 8]] += bool((actions.codes == 1).any())
    assert tied["normal"] == 0
    assert all(tied[kind] >= 2 for kind in KINDS if kind != "normal"), tied


@pytest.mark.parametrize("seed", range(24))
def test_made_up_components_mix_to_the_reward_exactly_where_it_is_dyadic(seed):
    instance = random_instance(seed)
    rewards, weights = instance.tuple_of_rewards()
    assert (weights.sum(axis=0) == 1.0).all()
    mixed = effective_reward(rewards, weights, mdp=instance.mdp)
    tolerance = 1e-14 if KINDS[seed % 8] == "normal" else 0.0
    np.testing.assert_allclose(mixed, instance.mdp.rewards, rtol=0, atol=tolerance)
    assert np.abs(rewards - instance.mdp.rewards).max() > 0.0


@pytest.mark.parametrize("seed", range(40))
def test_measured_values_are_those_of_brute_force(seed):
    mdp = random_instance(seed).mdp
    if np.diff(mdp.offsets).astype(float).prod() > 300:
        pytest.skip("too many policies for fractions")
    q, error = measured_q(mdp)
    exact = np.array([float(value) for value in brute_force(mdp)[1]])
    assert np.abs(q - exact).max() <= error + 1e-12
    assert error < 1e-9


@pytest.mark.parametrize("seed", range(16))
def test_the_measured_soft_policy_satisfies_its_own_equation(seed):
    mdp = random_instance(seed).mdp
    base = np.ones(mdp.n_pairs)
    q, policy, error = measured_soft_q(mdp, None, base=base, temperature=0.5)
    relative = np.where(mdp.terminal[mdp.pair_states], 0.0, np.log(policy))
    values = stochastic_values(mdp, policy, mdp.rewards - 0.5 * relative)
    np.testing.assert_allclose(mdp.rewards + mdp.gamma * (mdp.transitions @ values), q, atol=1e-8 + 2 * error)


def test_built_in_instances_are_what_their_statements_need():
    status = {item.name: optimal_actions(solve(item.mdp), exact=True).status.tolist() for item in built_in_instances()}
    assert set(status["unique chain"]) == {"unique"}
    assert status["tied bandit"] == ["tied"]
    assert status["tied chain"][0] == "tied"
    assert status["clever slacker"][1] == "tied"
    assert set(status["three paths"]) == {"unique"}
    assert "tied" in status["graded completions"]
    assert set(status["discounted traces"]) == {"unique"}
