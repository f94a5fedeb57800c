"""Oracles and instances for the exact core, written differently from the code they check.

Brute force enumerates every deterministic policy and solves each linear system in fractions with its own elimination;
the linear program is HiGHS. Instances are small random MDPs, some with exact ties.
"""

from fractions import Fraction
from itertools import product

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from scipy.optimize import linprog

from policycliff import MDP


def random_mdp(seed, *, states=4, actions=3, gamma=0.9, terminals=0, integer=False, branching=None):
    """A dense or sparse random MDP; integer rewards make ties likely."""
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.ones(states), size=(states, actions))
    if branching is not None:
        keep = np.argsort(rng.random((states, actions, states)), axis=2) < branching
        kernel = np.where(keep, kernel + 1e-3, 0.0)
        kernel /= kernel.sum(axis=2, keepdims=True)
    rewards = rng.integers(-2, 3, (states, actions)).astype(float) if integer else rng.normal(size=(states, actions))
    terminal = np.arange(states) >= states - terminals
    kernel[terminal] = 0.0
    rewards[terminal] = 0.0
    available = rng.random((states, actions)) < 0.8
    available[np.arange(states), rng.integers(actions, size=states)] = True
    initial = rng.dirichlet(np.ones(states))
    return MDP.from_arrays(kernel, rewards, gamma, available=available, terminal=terminal, initial=initial)


def tie_between_futures(n_states=64):
    """Kernel, rewards (states, 2) and gamma of a tie that floating point cannot prove and lumping does not see.

    From state 0 action 0 leads to state 1, which earns 1/8 for ever, and action 1 to state 2, which earns 23/128 and
    1/16 in turns with state 3: 1 in all, either way, at gamma = 7/8. Action 1 earns nothing in the others.
    """
    kernel = np.zeros((n_states, 2, n_states))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    after = np.arange(1, n_states)
    after[1:3] = (3, 2)
    kernel[np.arange(1, n_states), :, after] = 1.0
    rewards = np.zeros((n_states, 2))
    rewards[1:, 0] = 0.125
    rewards[2:4, 0] = (23 / 128, 1 / 16)
    return kernel, rewards, 0.875


def garnet(seed, *, states, actions, branching):
    """Arrays of a sparse random MDP: (S * A, S) kernel and (S, A) rewards."""
    rng = np.random.default_rng(seed)
    rows = states * actions
    indices = np.sort(rng.integers(states, size=(rows, branching)), axis=1).ravel()
    data = rng.dirichlet(np.ones(branching), rows).ravel()
    kernel = sp.csr_array((data, indices, np.arange(rows + 1) * branching), shape=(rows, states))
    kernel.sum_duplicates()
    return kernel, rng.random((states, actions))


def two_halves(seed, *, states, gamma, leave=1e-4):
    """A world of two random halves that are rarely left for each other: values spread slowly between them."""
    one, rewards = garnet(seed, states=states, actions=3, branching=3)
    other, _ = garnet(seed + 1, states=states, actions=3, branching=3)
    rows = np.arange(3 * states)
    away = sp.csr_array((np.full(rows.size, leave), (rows, rows % states)), shape=(rows.size, states))
    kernel = sp.block_array([[one * (1.0 - leave), away], [away, other * (1.0 - leave)]], format="csr")
    return MDP.from_arrays(kernel, np.vstack([rewards, 0.5 * rewards]), gamma)


@st.composite
def recipes(draw, *, gammas=(0.0, 0.5, 0.9, 0.99), max_states=3, max_actions=3):
    """Arguments of `random_mdp` for small MDPs of many kinds."""
    states = draw(st.integers(1, max_states))
    return {
        "seed": draw(st.integers(0, 10**6)),
        "states": states,
        "actions": draw(st.integers(1, max_actions)),
        "gamma": draw(st.sampled_from(gammas)),
        "terminals": draw(st.integers(0, states - 1)),
        "integer": draw(st.booleans()),
        "branching": draw(st.sampled_from([None, 1, 2])),
    }


@st.composite
def trees(draw):
    """Token sequences with rewards that often tie, as arguments of `token_tree`."""
    sequences = draw(st.lists(st.text("abc", max_size=4), min_size=1, max_size=6, unique=True))
    rewards = draw(st.lists(st.integers(-3, 3).map(float), min_size=len(sequences), max_size=len(sequences)))
    return sequences, rewards


def dense(mdp):
    """(pairs, S) kernel as an array."""
    return mdp.transitions.toarray()


def policies(mdp):
    """Every deterministic policy as a list of pairs."""
    return [
        list(choice) for choice in product(*(range(a, b) for a, b in zip(mdp.offsets, mdp.offsets[1:], strict=False)))
    ]


def solve_fractions(matrix, right):
    """Gauss-Jordan elimination with pivoting on lists of fractions."""
    n = len(right)
    rows = [[*matrix[i], right[i]] for i in range(n)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [entry / rows[column][column] for entry in rows[column]]
        for i in range(n):
            if i != column and rows[i][column] != 0:
                rows[i] = [a - rows[i][column] * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[-1] for row in rows]


def exact_policy_values(mdp, choice):
    """Values of one policy in fractions."""
    kernel, gamma, n = dense(mdp), Fraction(mdp.gamma), mdp.n_states
    matrix = [[Fraction(int(i == j)) - gamma * Fraction(kernel[choice[i], j]) for j in range(n)] for i in range(n)]
    return solve_fractions(matrix, [Fraction(mdp.rewards[pair]) for pair in choice])


def brute_force(mdp):
    """Exact optimal values and Q-values in fractions, by enumeration of all policies."""
    values = [exact_policy_values(mdp, choice) for choice in policies(mdp)]
    best = [max(column) for column in zip(*values, strict=True)]
    kernel, gamma = dense(mdp), Fraction(mdp.gamma)
    q = [
        Fraction(mdp.rewards[pair])
        + gamma * sum((Fraction(kernel[pair, s]) * best[s] for s in range(mdp.n_states)), Fraction(0))
        for pair in range(mdp.n_pairs)
    ]
    return best, q


def exact_error(q_values, exact):
    """Largest error of floats against fractions, as a fraction."""
    return max(abs(Fraction(float(a)) - b) for a, b in zip(q_values, exact, strict=True))


def linear_program(mdp):
    """Optimal values from the linear program min sum v, v(s) >= R + gamma P v."""
    owners = sp.csr_array((np.ones(mdp.n_pairs), (np.arange(mdp.n_pairs), mdp.pair_states)))
    constraint = mdp.gamma * mdp.transitions - owners
    result = linprog(np.ones(mdp.n_states), A_ub=constraint, b_ub=-mdp.rewards, bounds=(None, None), method="highs")
    return result.x


def optimal_sets(mdp):
    """Exact sets of optimal pairs, one a state."""
    _, q = brute_force(mdp)
    spans = list(zip(mdp.offsets, mdp.offsets[1:], strict=False))
    return [{pair for pair in range(a, b) if q[pair] == max(q[a:b])} for a, b in spans]


def numeric_policy_values(mdp, choice):
    """Values of one policy in floating point."""
    kernel = dense(mdp)[choice]
    return np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * kernel, mdp.rewards[choice])


def advantage_gap(mdp, choice):
    """Smallest margin by which the policy's action beats any other, in floating point (inf without another)."""
    v = numeric_policy_values(mdp, choice)
    q = mdp.rewards + mdp.gamma * (dense(mdp) @ v)
    rivals = np.setdiff1d(np.arange(mdp.n_pairs), choice)
    return min((v[mdp.pair_states[rivals]] - q[rivals]), default=np.inf)
