"""Whole completions on trees at gamma = 1: the Gibbs measure by enumeration of paths, bounds against perturbations."""

import json

import numpy as np
import pytest
from core_oracles import random_mdp, trees
from hypothesis import given, settings
from hypothesis import strategies as st
from soft_oracles import reference_for, soft_optimum

from policycliff import KL, Entropy, soft_policy_bounds, solve, token_tree
from policycliff.cliffs.soft.sequences import completion_probabilities, is_deterministic_tree


def paths(mdp):
    """Every completion as (prompt, list of pairs), by walking down from the roots."""
    found = []
    stack = [(root, root, []) for root in np.flatnonzero(mdp.initial > 0)]
    while stack:
        root, state, way = stack.pop()
        if mdp.terminal[state]:
            found.append((int(root), way))
            continue
        here = range(mdp.offsets[state], mdp.offsets[state + 1])
        stack.extend((root, int(mdp.successors[mdp.indptr[pair]]), [*way, pair]) for pair in here)
    return found


def gibbs(mdp, rewards, temperature, base=None):
    """(pairs,) probability of each completion at its last pair, from the formula over whole completions."""
    result, ways = np.zeros(mdp.n_pairs), paths(mdp)
    weights = np.ones(mdp.n_pairs) if base is None else base
    for root in np.flatnonzero(mdp.initial > 0):
        mine = [way for prompt, way in ways if prompt == root]
        scores = np.array([rewards[way].sum() for way in mine]) / temperature
        mass = np.array([weights[way].prod() for way in mine]) * np.exp(scores - scores.max())
        for way, share in zip(mine, mass / mass.sum(), strict=True):
            result[way[-1]] = mdp.initial[root] * share
    return result


@given(trees(), st.sampled_from([0.3, 2.0]), st.booleans())
@settings(max_examples=60)
def test_the_soft_optimum_is_gibbs_over_completions(tree, temperature, towards_reference):
    mdp = token_tree(*tree)
    base = reference_for(mdp, 1) if towards_reference else None
    regularizer = Entropy(temperature) if base is None else KL(temperature, base)
    found = completion_probabilities(mdp, solve(mdp, regularizer=regularizer).policy)
    np.testing.assert_allclose(found, gibbs(mdp, mdp.rewards, temperature, base), atol=1e-12)


@given(trees(), st.sampled_from([0.1, 1.0]), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=40)
def test_no_perturbation_beats_the_sequence_bound(tree, epsilon, towards_reference, seed):
    mdp = token_tree(*tree)
    rng = np.random.default_rng(seed)
    base = reference_for(mdp, seed) if towards_reference else None
    widths = rng.integers(0, 3, mdp.n_pairs) / 2.0
    bounds = soft_policy_bounds(mdp, epsilon, 0.5, reference_policy=base, half_widths=widths, starts=3).sequence
    ball = epsilon * widths * ~mdp.terminal[mdp.pair_states]
    assert bounds.horizon[0] == pytest.approx(max(widths[way].sum() for _, way in paths(mdp)), abs=1e-9)
    before = gibbs(mdp, mdp.rewards, 0.5, base)
    np.testing.assert_allclose(bounds.completions, before, atol=1e-12)
    for _ in range(10):
        after = gibbs(mdp, mdp.rewards + ball * rng.choice([-1.0, 1.0], mdp.n_pairs), 0.5, base)
        assert 0.5 * np.abs(after - before).sum() <= bounds.span[0] + 1e-12
    assert bounds.measured[0] <= bounds.span[0] <= bounds.sharp[0] <= bounds.linear[0] * (1 + 1e-12)


@given(trees(), st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_span_is_that_of_the_two_widest_paths(tree, seed):
    mdp = token_tree(*tree)
    widths = np.random.default_rng(seed).random(mdp.n_pairs)
    bounds = soft_policy_bounds(mdp, 0.2, 0.5, half_widths=widths, starts=0).sequence
    ways = [set(way) for _, way in paths(mdp)]
    widest = max(widths[sorted(a ^ b)].sum() for a in ways for b in ways)
    assert bounds.span[0] == pytest.approx(np.tanh(0.2 * widest / (4 * 0.5)), rel=1e-9, abs=1e-12)


def test_outcome_rewards_do_not_care_about_length():
    """One long and one short completion: reward at the end moves by epsilon, the bound is that of a coin."""
    epsilon, temperature = 0.3, 0.5
    for length in (1, 5, 40):
        mdp = token_tree(["a" * length, "b"], [0.0, 0.0])
        ends = (
            np.array([mdp.action_names[action] == "<end>" for action in mdp.actions]) & ~mdp.terminal[mdp.pair_states]
        )
        bounds = soft_policy_bounds(mdp, epsilon, temperature, mask=ends)
        assert bounds.sequence.horizon == pytest.approx(1.0)
        assert bounds.sequence.span == pytest.approx(np.tanh(epsilon / (2 * temperature)))
        # From even odds both ends move apart: the probability goes from 1/2 to the logistic function of 2 epsilon.
        assert bounds.sequence.measured == pytest.approx(1 / (1 + np.exp(-2 * epsilon / temperature)) - 0.5)


def test_all_steps_add_up_without_a_mask():
    mdp = token_tree(["a" * 10, "b"], [0.0, 0.0])
    bounds = soft_policy_bounds(mdp, 0.1, 1.0).sequence
    assert bounds.horizon == pytest.approx(11.0)
    assert bounds.span == pytest.approx(np.tanh(0.1 * 13 / 4))


def test_prompts_are_apart():
    prompts = ["p", "p", "q", "q", "q"]
    mdp = token_tree(["a", "b", "a", "b", "cc"], [1.0, 0.0, 1.0, 1.0, 1.0], prompts=prompts)
    bounds = soft_policy_bounds(mdp, 0.1, 0.5).sequence
    alone = [
        soft_policy_bounds(token_tree(texts, rewards), 0.1, 0.5).sequence
        for texts, rewards in ((["a", "b"], [1.0, 0.0]), (["a", "b", "cc"], [1.0, 1.0, 1.0]))
    ]
    np.testing.assert_allclose(bounds.span, [item.span[0] for item in alone])
    np.testing.assert_allclose(bounds.measured, [item.measured[0] for item in alone], rtol=0.02)
    np.testing.assert_allclose(bounds.weights, [0.5, 0.5])
    assert json.loads(json.dumps(bounds.to_dict()))["prompts"] == bounds.prompts.tolist()
    assert "2 prompts" in repr(bounds)


def test_only_trees_at_gamma_1_have_sequences():
    assert soft_policy_bounds(token_tree(["a", "b"], [1.0, 0.0], gamma=0.9), 0.1, 1.0, starts=0).sequence is None
    assert soft_policy_bounds(random_mdp(0), 0.1, 1.0, starts=0).sequence is None
    merged = token_tree(["ab", "ba"], [1.0, 1.0], merge=lambda prompt, prefix: tuple(sorted(prefix)))
    assert not is_deterministic_tree(merged)
    assert soft_policy_bounds(merged, 0.1, 1.0, starts=0).sequence is None


def test_shifts_of_states_add_up_along_a_completion():
    """The reason for this file: on a long path the state figure is small, the completion's is not."""
    mdp = token_tree(["a" * i for i in range(1, 30)], [0.0] * 29)
    bounds = soft_policy_bounds(mdp, 0.02, 1.0, starts=2)
    before = soft_optimum(mdp, 1.0)
    np.testing.assert_allclose(bounds.policy, before, atol=1e-12)
    assert bounds.sequence.measured[0] > 0.05
