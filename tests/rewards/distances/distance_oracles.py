"""The definitions of the papers, read independently: loops over transitions, least squares over all transitions."""

import numpy as np
from core_oracles import dense
from scipy.optimize import linprog

from policycliff import MDP


def full_mdp(seed, *, states=4, actions=3, gamma=0.9, terminals=0, branching=None):
    """Every action in every state; the last states are terminal."""
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.ones(states), size=(states, actions))
    if branching is not None:
        keep = np.argsort(rng.random((states, actions, states)), axis=2) < branching
        kernel = np.where(keep, kernel + 1e-3, 0.0)
        kernel /= kernel.sum(axis=2, keepdims=True)
    terminal = np.arange(states) >= states - terminals
    kernel[terminal] = 0.0
    rewards = np.where(terminal[:, None], 0.0, rng.normal(size=(states, actions)))
    return MDP.from_arrays(kernel, rewards, gamma, terminal=terminal, initial=np.full(states, 1.0 / states))


def kernel_of(mdp, n_actions):
    """(S, A, S) with terminal states that stay."""
    kernel = np.zeros((mdp.n_states, n_actions, mdp.n_states))
    rows = dense(mdp)
    for pair, (state, action) in enumerate(zip(mdp.pair_states, mdp.actions, strict=True)):
        kernel[state, action] = rows[pair]
    for state in np.flatnonzero(mdp.terminal):
        kernel[state, :, state] = 1.0
    return kernel


def table_of(mdp, rewards, n_actions):
    """(S, A, S) of a reward over pairs, 0 at terminal states."""
    table = np.zeros((mdp.n_states, n_actions, mdp.n_states))
    for pair, (state, action) in enumerate(zip(mdp.pair_states, mdp.actions, strict=True)):
        table[state, action] = rewards[pair]
    return table


def epic_by_loops(table, gamma, actions, states):
    """C(R) = R + E[gamma R(s', A, S') - R(s, A, S') - gamma R(S, A, S')], term by term."""
    n, k, _ = table.shape
    result = np.zeros_like(table)

    def mean(s):
        return sum(actions[a] * states[z] * table[s, a, z] for a in range(k) for z in range(n))

    last = sum(states[s] * mean(s) for s in range(n))
    for s in range(n):
        for a in range(k):
            for z in range(n):
                result[s, a, z] = table[s, a, z] + gamma * mean(z) - mean(s) - gamma * last
    return result


def dard_by_loops(table, kernel, gamma, actions):
    """C(R) = R + E[gamma R(s', A, S'') - R(s, A, S') - gamma R(S', A, S'')], one joint draw of A, S' and S''."""
    n, k, _ = table.shape
    result = np.zeros_like(table)
    for s in range(n):
        for z in range(n):
            shift = 0
            for a in range(k):
                for first in range(n):
                    for second in range(n):
                        weight = actions[a] * kernel[s, a, first] * kernel[z, a, second]
                        shift += weight * (
                            gamma * table[z, a, second] - table[s, a, first] - gamma * table[first, a, second]
                        )
            result[s, :, z] = table[s, :, z] + shift
    return result


def pearson(first, second, weights):
    """sqrt((1 - rho) / 2) from the correlation."""
    w = weights.ravel() / weights.sum()
    a, b = first.ravel() - first.ravel() @ w, second.ravel() - second.ravel() @ w
    rho = (w @ (a * b)) / np.sqrt((w @ a**2) * (w @ b**2))
    return np.sqrt(max(0.0, 1.0 - rho) / 2.0)


def uniform_weights(mdp, n_actions):
    """All transitions of states that are not terminal."""
    return np.repeat(~mdp.terminal, n_actions * mdp.n_states).reshape(mdp.n_states, n_actions, mdp.n_states) * 1.0


def advantages_by_solve(mdp, rewards, policy):
    """A^pi over the pairs of states that are not terminal."""
    rows = dense(mdp)
    owner = np.zeros((mdp.n_states, mdp.n_pairs))
    owner[mdp.pair_states, np.arange(mdp.n_pairs)] = policy
    values = np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * owner @ rows, owner @ rewards)
    return (rewards + mdp.gamma * rows @ values - values[mdp.pair_states])[~mdp.terminal[mdp.pair_states]]


def minimal_by_least_squares(mdp, table):
    """The least 2-norm over supported transitions of table + shaping + redistribution with mean 0, as one vector."""
    rows = [(pair, z) for pair in range(mdp.n_pairs) for z in np.flatnonzero(dense(mdp)[pair]) if not _ended(mdp, pair)]
    right = np.array([table[mdp.pair_states[p], mdp.actions[p], z] for p, z in rows])
    free = np.flatnonzero(~mdp.terminal)
    columns = [[mdp.gamma * (z == s) - (mdp.pair_states[p] == s) for p, z in rows] for s in free]
    probabilities = np.array([dense(mdp)[p, z] for p, z in rows])
    for pair in range(mdp.n_pairs):
        here = [i for i, (p, _) in enumerate(rows) if p == pair]
        for i in here[1:]:
            column = np.zeros(len(rows))
            column[here[0]], column[i] = probabilities[i], -probabilities[here[0]]
            columns.append(column)
    basis = np.array(columns, dtype=float).T
    return right - basis @ np.linalg.lstsq(basis, right, rcond=None)[0]


def _ended(mdp, pair):
    return bool(mdp.terminal[mdp.pair_states[pair]])


def shaping_by_dual(mdp, difference):
    """max d . y over ||y||_1 <= 1, y (gamma P - E) = 0, on dense matrices by the interior point method."""
    alive = ~mdp.terminal[mdp.pair_states]
    owner = np.eye(mdp.n_states)[mdp.pair_states]
    matrix = (mdp.gamma * dense(mdp) - owner)[alive][:, ~mdp.terminal]
    d = difference[alive]
    if d.size == 0:
        return 0.0
    found = linprog(
        np.concatenate([-d, d]),
        A_eq=np.hstack([matrix.T, -matrix.T]),
        b_eq=np.zeros(matrix.shape[1]),
        A_ub=np.ones((1, 2 * d.size)),
        b_ub=[1.0],
        method="highs-ipm",
    )
    return -found.fun


def shape_pairs(mdp, rewards, potential):
    """R + gamma P Phi - Phi over pairs, frozen at terminal states."""
    phi = np.where(mdp.terminal, 0.0, potential)
    shaped = rewards + mdp.gamma * dense(mdp) @ phi - phi[mdp.pair_states]
    return np.where(mdp.terminal[mdp.pair_states], 0.0, shaped)


def shape_table(table, gamma, potential):
    """R + gamma Phi(s') - Phi(s) over all transitions."""
    return table + gamma * potential[None, None, :] - potential[:, None, None]
