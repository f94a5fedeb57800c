"""Measured quantities, by code that shares nothing with the solvers: dense NumPy linear algebra and enumeration.

Howard's policy iteration with dense solves up to a few hundred states, refined with residuals in extended precision
(NumPy's longdouble, where it is longer than float64), so that discounts near 1 leave digits to compare; plain value
iteration beyond. Errors are (residual + rounding) / (1 - gamma) with an allowance for the rounding of one backup;
proven bounds are the solvers' business.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from policycliff.errors import PolicyCliffError
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64

DENSE_LIMIT = 400
POLICY_LIMIT = 4096
# Nonzeros times sweeps of one plain value iteration: about a second.
MOST_WORK = 2e8
SWEEPS = 200_000
REFINEMENTS = 4

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


def _backup(mdp: MDP, v: np.ndarray, rewards: Pairs) -> np.ndarray:
    """R + gamma P v, in the precision of v."""
    return np.asarray(rewards + mdp.gamma * (mdp.transitions @ v))


def _maximum(mdp: MDP, q: np.ndarray, base: Pairs | None, temperature: float) -> np.ndarray:
    """Values (states,) of the hard or soft maximum; terminal states have value 0."""
    top = np.maximum.reduceat(q if base is None else np.where(base > 0.0, q, -np.inf), mdp.offsets[:-1])
    if base is not None:
        shifted = np.exp(np.minimum(q - top[mdp.pair_states], 0.0) / temperature)
        top = top + temperature * np.log(np.add.reduceat(base * shifted, mdp.offsets[:-1]))
    return np.where(mdp.terminal, 0.0, top)


def _measured(mdp: MDP, rewards: Pairs | None, base: Pairs | None, temperature: float) -> tuple[Pairs, float]:
    reward = mdp.rewards if rewards is None else rewards
    _require_affordable(mdp)
    v: np.ndarray = _iterate(mdp, reward, base, temperature)
    if mdp.n_states <= DENSE_LIMIT:
        v = _refined(mdp, v, reward, base, temperature)
    q = _backup(mdp, v, reward)
    residual = float(np.abs(_maximum(mdp, q, base, temperature) - v).max())
    scale = float(np.abs(reward).max()) + float(np.abs(v).max()) + (0.0 if base is None else temperature)
    terms = int(np.diff(mdp.indptr).max(initial=0)) + (8 if base is None else 8 + int(np.diff(mdp.offsets).max()))
    allowance = terms * float(np.finfo(v.dtype).eps) * scale
    error = (residual + allowance) * growth(mdp) + float(np.spacing(float(np.abs(q).max())))
    return np.asarray(q, dtype=np.float64), error


def _require_affordable(mdp: MDP) -> None:
    """Refuse what plain value iteration would take minutes for."""
    sweeps = np.log(1e-16) / np.log(mdp.gamma) if 0.0 < mdp.gamma < 1.0 and not mdp.is_acyclic else 1.0
    work = float(mdp.probabilities.size * sweeps)
    if mdp.n_states > DENSE_LIMIT and work > MOST_WORK:
        raise PolicyCliffError(f"value iteration anew would take {work:.0e} steps, more than {MOST_WORK:.0e}")


def _refined(mdp: MDP, v: States, rewards: Pairs, base: Pairs | None, temperature: float) -> np.ndarray:
    """Newton steps with residuals in extended precision and one dense factorisation, while the residual falls."""
    precise = v.astype(np.longdouble)
    policy = _policy(mdp, _backup(mdp, v, rewards), base, temperature)
    factors = lu_factor(np.eye(mdp.n_states) - mdp.gamma * _chain(mdp, policy))
    best, least = precise, np.inf
    for _ in range(REFINEMENTS):
        residual = _maximum(mdp, _backup(mdp, precise, rewards), base, temperature) - precise
        size = float(np.abs(residual).max())
        if size < least:
            best, least = precise, size
        if size == 0.0:
            break
        precise = precise + lu_solve(factors, np.asarray(residual, dtype=np.float64))
    return best


def _policy(mdp: MDP, q: Pairs, base: Pairs | None, temperature: float) -> Pairs:
    """The greedy policy of q (the first best action), or the soft one."""
    if base is not None:
        return gibbs(mdp, q, base=base, temperature=temperature)
    policy = np.zeros(mdp.n_pairs)
    policy[greedy_pairs(mdp, q)] = 1.0
    return policy


def _chain(mdp: MDP, policy: Pairs) -> np.ndarray:
    """The dense kernel over states of a policy; terminal states lead nowhere, their value is 0."""
    chain = np.add.reduceat(policy[:, None] * mdp.transitions.toarray(), mdp.offsets[:-1], axis=0)
    return np.where(mdp.terminal[:, None], 0.0, chain)


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
        return policy_values(mdp, greedy_pairs(mdp, q), rewards)
    policy = gibbs(mdp, q, base=base, temperature=temperature)
    relative = np.where(policy > 0.0, np.log(np.maximum(policy, 1e-300) / np.where(base > 0.0, base, 1.0)), 0.0)
    return stochastic_values(
        mdp, policy, rewards - temperature * np.where(mdp.terminal[mdp.pair_states], 0.0, relative)
    )


def greedy_pairs(mdp: MDP, q: Pairs) -> Int64[np.ndarray, " states"]:
    """(states,) the first best pair of each state."""
    return np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])


def policy_values(mdp: MDP, choice: Int64[np.ndarray, " states"], rewards: Pairs | None = None) -> States:
    """(states,) values of the deterministic policy that takes pair choice[s], by a dense solve."""
    reward = mdp.rewards if rewards is None else rewards
    return _evaluation(mdp, mdp.transitions[choice].toarray(), reward[choice])


def stochastic_values(mdp: MDP, policy: Pairs, rewards: Pairs | None = None) -> States:
    """(states,) values of a policy over pairs, by a dense solve."""
    reward = mdp.rewards if rewards is None else rewards
    kernel = np.add.reduceat(policy[:, None] * mdp.transitions.toarray(), mdp.offsets[:-1], axis=0)
    return _evaluation(mdp, kernel, np.add.reduceat(policy * reward, mdp.offsets[:-1]))


def _evaluation(mdp: MDP, kernel: np.ndarray, rewards: States) -> States:
    """Values of a chain, 0 at terminal states: a dense solve and one correction with the residual in long double."""
    chain = np.where(mdp.terminal[:, None], 0.0, mdp.gamma * kernel)
    right = np.where(mdp.terminal, 0.0, rewards)
    factors = lu_factor(np.eye(mdp.n_states) - chain)
    values = lu_solve(factors, right)
    residual = right + chain.astype(np.longdouble) @ values - values
    return np.asarray(values + lu_solve(factors, np.asarray(residual, dtype=np.float64)))


def rounding(mdp: MDP, size: float) -> float:
    """What plain float64 solves, the package's own among them, may lose on values of this size."""
    return 1e-14 * growth(mdp) * abs(size)


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
