"""Theorem 2.7: where the optimal action is unique, the policy is locally constant; the radius says how far."""

import numpy as np
import pytest
from core_oracles import random_mdp

from policycliff import greedy_policy, optimal_actions, solve, stability_radius, total_variation


@pytest.mark.parametrize("seed", range(5))
def test_the_policy_is_constant_within_the_radius(seed):
    mdp = random_mdp(seed)
    before = greedy_policy(solve(mdp))
    assert (optimal_actions(solve(mdp)).status == "unique").all()
    radius = stability_radius(mdp).radius
    rng = np.random.default_rng(seed)
    for _ in range(10):
        other = mdp.with_rewards(mdp.rewards + 0.999 * radius * rng.uniform(-1.0, 1.0, mdp.n_pairs))
        assert total_variation(before, greedy_policy(solve(other)), mdp=mdp) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_and_jumps_by_one_just_beyond(seed):
    mdp = random_mdp(seed)
    result = stability_radius(mdp)
    other = mdp.with_rewards(mdp.rewards + 1.001 * result.witness)
    assert total_variation(greedy_policy(solve(mdp)), greedy_policy(solve(other)), mdp=mdp) == 1.0
