"""Small MDPs with ties on purpose, and brute-force facts about them in fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
from benchmark_modules import load
from core_oracles import dense, exact_policy_values, policies
from hypothesis import strategies as st

exactness = load("exactness_check")

TYING = ["rows in eighths", "deterministic, 0 or 1", "constant rewards", "symmetric states", "acyclic", "trees"]


def degenerate(kinds=TYING):
    """Arguments of `build`."""
    return st.tuples(st.integers(0, 10**6), st.sampled_from(kinds))


def build(recipe, max_policies=60):
    """A small MDP that often has several optimal policies, and a generator for what is drawn on it."""
    seed, kind = recipe
    rng = np.random.default_rng(seed)
    while True:
        mdp = exactness.make_instance(kind, rng)
        if np.prod(np.diff(mdp.offsets).astype(float)) <= max_policies:
            return mdp, rng


def integer_rewards(mdp, rng):
    """Small integer rewards over pairs, 0 at terminal states."""
    return rng.integers(-2, 3, mdp.n_pairs) * ~mdp.terminal[mdp.pair_states] * 1.0


def returns_under(mdp, choice, rewards):
    """Values of a policy under other rewards, in fractions."""
    return exact_policy_values(mdp.with_rewards(rewards), choice)


def start_value(mdp, values):
    """Return from the initial distribution, in fractions."""
    return sum((Fraction(p) * v for p, v in zip(mdp.initial, values, strict=True)), Fraction(0))


def optimal_policies(mdp):
    """All deterministic policies whose exact values are the largest in every state."""
    everything = [(choice, exact_policy_values(mdp, choice)) for choice in policies(mdp)]
    best = [max(column) for column in zip(*(values for _, values in everything), strict=True)]
    return [choice for choice, values in everything if values == best]


def traces(mdp, choices):
    """All distinct paths (state, pair, state, ...) of these policies in an acyclic MDP."""
    kernel = dense(mdp)
    found = set()

    def walk(path, state, choice):
        following = np.flatnonzero(kernel[choice[state]]) if not mdp.terminal[state] else []
        if len(following) == 0:
            found.add(path)
        for target in following:
            walk((*path, choice[state], int(target)), int(target), choice)

    for choice, start in product(choices, np.flatnonzero(mdp.initial).tolist()):
        walk((start,), start, choice)
    return found
