"""Oracles for soft policies: dense soft value iteration, brute force over subsets and over vertices of the ball."""

from itertools import product

import numpy as np
from core_oracles import dense


def soft_optimum(mdp, temperature, *, rewards=None, base=None):
    """Soft policy over pairs, by value iteration with dense matrices and SciPy-free log-sum-exp."""
    kernel = dense(mdp)
    reward = mdp.rewards if rewards is None else rewards
    weights = np.ones(mdp.n_pairs) if base is None else np.asarray(base, dtype=float)
    starts, owners = mdp.offsets[:-1], mdp.pair_states
    v = np.zeros(mdp.n_states)
    for _ in range(200_000):
        q = reward + mdp.gamma * kernel @ v
        top = np.maximum.reduceat(np.where(weights > 0, q, -np.inf), starts)
        terms = weights * np.exp(np.minimum((q - top[owners]) / temperature, 0.0))
        sums = np.add.reduceat(terms, starts)
        new = np.where(mdp.terminal, 0.0, top + temperature * np.log(sums))
        if np.abs(new - v).max() < 1e-13 * (1 + np.abs(new).max()):
            return terms / sums[owners]
        v = new
    raise AssertionError("value iteration did not converge")


def state_tv(mdp, first, second):
    """(states,) half the L1 distance."""
    return np.array([0.5 * np.abs(block).sum() for block in np.split(first - second, mdp.offsets[1:-1])])


def finite_difference_jacobian(mdp, temperature, *, base=None, step=1e-5):
    """(pairs, pairs) central differences of the soft policy in the reward."""
    columns = []
    for pair in range(mdp.n_pairs):
        if mdp.terminal[mdp.pair_states[pair]]:
            columns.append(np.zeros(mdp.n_pairs))
            continue
        push = step * np.eye(mdp.n_pairs)[pair]
        ahead, behind = (
            soft_optimum(mdp, temperature, rewards=mdp.rewards + sign * push, base=base) for sign in (1.0, -1.0)
        )
        columns.append((ahead - behind) / (2 * step))
    return np.array(columns).T


def subset_modulus(block, widths):
    """max over |D| <= widths of half the L1 norm of block @ D, over all vertices of the ball."""
    best = 0.0
    for signs in product((-1.0, 1.0), repeat=block.shape[1]):
        best = max(best, 0.5 * np.abs(block @ (widths * np.array(signs))).sum())
    return best


def reference_for(mdp, seed, *, zeros=False):
    """A random reference policy; with `zeros` some actions have probability 0."""
    rng = np.random.default_rng(seed)
    weights = rng.random(mdp.n_pairs) + 0.05
    if zeros:
        keep = rng.random(mdp.n_pairs) < 0.6
        keep[mdp.offsets[:-1]] = True
        weights *= keep
    return weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states]
