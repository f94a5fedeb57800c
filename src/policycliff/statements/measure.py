"""Measured quantities, by code that shares nothing with the solvers: dense NumPy linear algebra and enumeration.

Howard's policy iteration with dense solves up to a few hundred states, plain value iteration beyond. Errors are bounds
in exact arithmetic (residual / (1 - gamma)) with an allowance for rounding; proven bounds are the solvers' business.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from jaxtyping import Float64, Int64

from policycliff.mdp.model import MDP

DENSE_LIMIT = 400
POLICY_LIMIT = 4096
SWEEPS = 200_000
ALLOWANCE = 1e-13

Pairs = Float64[np.ndarray, " pairs"]
States = Float64[np.ndarray, " states"]


def measured_q(mdp: MDP, rewards: Pairs | None = None) -> tuple[Pairs, float]:
    """Optimal Q-values (pairs,) of this reward, and a bound on their error."""
    return _measured(mdp, rewards, None, 0.0)


def measured_soft_q(mdp: MDP, rewards: Pairs | None, *, base: Pairs, temperature: float) -> tuple[Pairs, Pairs, float]:
    """Soft Q-values and policy, both (pairs,), for base exp(Q / temperature), and a bound on the error of Q."""
    q, error = _measured(mdp, rewards, base, temperature)
    return q, gibbs(mdp, q, base=base, temperature=temperature), error


def gibbs(mdp: MDP, q: Pairs, *, base: Pairs, temperature: float) -> Pairs:
    """Gibbs policy: base exp(q / temperature), normalised state by state."""
    top = np.maximum.reduceat(np.where(base > 0.0, q, -np.inf), mdp.offsets[:-1])[mdp.pair_states]
    weights = base * np.exp(np.minimum(q - top, 0.0) / temperature)
    return np.asarray(weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states])


def _backup(mdp: MDP, v: States, rewards: Pairs) -> Pairs:
    return np.asarray(rewards + mdp.gamma * (mdp.transitions @ v))


def _maximum(mdp: MDP, q: Pairs, base: Pairs | None, temperature: float) -> States:
    """Values (states,) of the hard or soft maximum; terminal states have value 0."""
    top = np.maximum.reduceat(q if base is None else np.where(base > 0.0, q, -np.inf), mdp.offsets[:-1])
    if base is not None:
        shifted = np.exp(np.minimum(q - top[mdp.pair_states], 0.0) / temperature)
        top = top + temperature * np.log(np.add.reduceat(base * shifted, mdp.offsets[:-1]))
    return np.where(mdp.terminal, 0.0, top)


def _measured(mdp: MDP, rewards: Pairs | None, base: Pairs | None, temperature: float) -> tuple[Pairs, float]:
    reward = mdp.rewards if rewards is None else rewards
    v = _iterate(mdp, reward, base, temperature)
    q = _backup(mdp, v, reward)
    residual = float(np.abs(_maximum(mdp, q, base, temperature) - v).max())
    scale = float(np.abs(reward).max()) + float(np.abs(v).max())
    return q, (residual + ALLOWANCE * scale) * growth(mdp)


def _iterate(mdp: MDP, rewards: Pairs, base: Pairs | None, temperature: float) -> States:
    """Values of the optimum: policy iteration while dense matrices are small, value iteration beyond."""
    v = np.zeros(mdp.n_states)
    scale, best = float(np.abs(rewards).max()) + 1e-300, np.inf
    dense = mdp.n_states <= DENSE_LIMIT
    for _ in range(1000 if dense else SWEEPS):
        q = _backup(mdp, v, rewards)
        change = _maximum(mdp, q, base, temperature) - v
        size = float(np.abs(change).max())
        if size <= 1e-15 * scale or (size <= 1e-10 * scale and size >= best):
            return v
        best = min(best, size)
        v = _evaluated(mdp, q, rewards, base, temperature) if dense else v + change
    return v


def _evaluated(mdp: MDP, q: Pairs, rewards: Pairs, base: Pairs | None, temperature: float) -> States:
    """Values of the greedy (or soft) policy of q, by a dense solve."""
    if base is None:
        choice = np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])
        return policy_values(mdp, choice, rewards)
    policy = gibbs(mdp, q, base=base, temperature=temperature)
    relative = np.where(policy > 0.0, np.log(np.maximum(policy, 1e-300) / np.where(base > 0.0, base, 1.0)), 0.0)
    return stochastic_values(
        mdp, policy, rewards - temperature * np.where(mdp.terminal[mdp.pair_states], 0.0, relative)
    )


def policy_values(mdp: MDP, choice: Int64[np.ndarray, " states"], rewards: Pairs | None = None) -> States:
    """(states,) values of the deterministic policy that takes pair choice[s], by a dense solve."""
    reward = mdp.rewards if rewards is None else rewards
    kernel = mdp.transitions[choice].toarray()
    return np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * kernel, np.where(mdp.terminal, 0.0, reward[choice]))


def stochastic_values(mdp: MDP, policy: Pairs, rewards: Pairs | None = None) -> States:
    """(states,) values of a policy over pairs, by a dense solve."""
    reward = mdp.rewards if rewards is None else rewards
    kernel = np.add.reduceat(policy[:, None] * mdp.transitions.toarray(), mdp.offsets[:-1], axis=0)
    right = np.where(mdp.terminal, 0.0, np.add.reduceat(policy * reward, mdp.offsets[:-1]))
    return np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * kernel, right)


def growth(mdp: MDP) -> float:
    """What a residual of 1 does to the values: 1 / (1 - gamma), or at gamma = 1 at most the number of states."""
    return 1.0 / (1.0 - mdp.gamma) if mdp.gamma < 1.0 else float(mdp.n_states)


def spans(mdp: MDP) -> list[tuple[int, int]]:
    """First and last pair of each state."""
    return list(zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True))


def n_policies(mdp: MDP) -> float:
    """Number of deterministic policies (inf beyond double precision)."""
    return float(np.exp(min(np.log(np.diff(mdp.offsets)).sum(), 700.0)))


def can_enumerate(mdp: MDP) -> bool:
    """Whether all deterministic policies can be tried."""
    return n_policies(mdp) <= POLICY_LIMIT + 0.5 and mdp.n_states <= DENSE_LIMIT


def policies(mdp: MDP) -> Iterator[Int64[np.ndarray, " states"]]:
    """Every deterministic policy, as the pair taken in each state."""
    for choice in product(*(range(first, last) for first, last in spans(mdp))):
        yield np.array(choice)


def state_tv(mdp: MDP, first: Pairs, second: Pairs) -> States:
    """(states,) half the L1 distance of two policies."""
    return np.asarray(0.5 * np.add.reduceat(np.abs(first - second), mdp.offsets[:-1]))
