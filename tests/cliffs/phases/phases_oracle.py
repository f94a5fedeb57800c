"""Enumeration of all deterministic policies in fractions, written apart from the code that it checks."""

from fractions import Fraction
from itertools import product

import numpy as np
from core_oracles import dense, policies, random_mdp, solve_fractions


def values_of(mdp, choice, reward):
    """V of one policy under one reward, in fractions."""
    kernel, gamma, n = dense(mdp), Fraction(mdp.gamma), mdp.n_states
    matrix = [[Fraction(int(i == j)) - gamma * Fraction(kernel[choice[i], j]) for j in range(n)] for i in range(n)]
    return solve_fractions(matrix, [Fraction(float(reward[pair])) for pair in choice])


def value_tables(mdp, rewards):
    """For each deterministic policy its values as K tuples over states."""
    return {
        tuple(choice): tuple(tuple(values_of(mdp, choice, reward)) for reward in rewards) for choice in policies(mdp)
    }


def vectors_from_start(mdp, tables):
    """For each policy its vector of returns."""
    start = [Fraction(float(p)) for p in mdp.initial]
    return {
        choice: tuple(sum(p * v for p, v in zip(start, column, strict=True)) for column in table)
        for choice, table in tables.items()
    }


def grid(corners, steps):
    """Points of the simplex in fractions, off the usual symmetric places."""
    for parts in product(range(steps + 1), repeat=corners):
        if sum(parts) == steps:
            yield tuple(Fraction(part, steps) for part in parts)


def best_vectors(vectors, weights):
    """The vectors that are largest at these weights."""
    worth = {vector: sum(w * v for w, v in zip(weights, vector, strict=True)) for vector in set(vectors.values())}
    top = max(worth.values())
    return top, {vector for vector, value in worth.items() if value == top}


def make_instance(seed, *, components, integer=False, states=3, actions=2, gamma=0.5, terminals=0):
    """An MDP with a reward tuple; short fractions, ties likely where `integer`."""
    mdp = random_mdp(
        seed, states=states, actions=actions, gamma=gamma, terminals=terminals, integer=integer, branching=2
    )
    rng = np.random.default_rng([seed, 3])
    rewards = rng.integers(-3, 4, (components, mdp.n_pairs)).astype(float)
    if not integer:
        rewards = rng.integers(-64, 65, (components, mdp.n_pairs)) / 16.0
    return mdp, rewards * ~mdp.terminal[mdp.pair_states]
