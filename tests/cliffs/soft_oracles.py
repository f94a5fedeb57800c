"""Oracles for soft policies: dense soft value iteration, brute force over subsets and over vertices of the ball."""

from itertools import product

import numpy as np

from core_oracles import dense


def soft_optimum(mdp, temperature, *, rewards=None, base=None):
    """Soft policy over pairs, by value iteration with dense matrices and SciPy-free log-sum-exp."""
    kernel = dense(mdp)
    reward = mdp.rewards if rewards is None else rewards
    weights = np.ones(mdp.n_pairs) if base is None else np.asarray(base, dtype=float)
    spans = [slice(a, b) for a, b in zip(mdp.offsets[:-1], mdp.offsets[1:], strict=True)]
    v, policy = np.zeros(mdp.n_states), np.zeros(mdp.n_pairs)
    for _ in range(200_000):
        q = reward + mdp.gamma * kernel @ v
        new = np.zeros(mdp.n_states)
        for state, span in enumerate(spans):
            top = q[span][weights[span] > 0].max()
            terms = weights[span] * np.exp(np.minimum((q[span] - top) / temperature, 0.0))
            new[state] = 0.0 if mdp.terminal[state] else top + temperature * np.log(terms.sum())
            policy[span] = terms / terms.sum()
        if np.abs(new - v).max() < 1e-14 * (1 + np.abs(new).max()):
            return policy
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
