"""The instances that statements run on: built-in ones, random ones by seed, and the user's own.

Random instances are small MDPs of eight kinds, most of them degenerate on purpose: normal rewards, whole numbers, a
copied action, ties made through the inverse Bellman map, terminal states, bandits, deterministic trees at gamma = 1
and discounted ones. All numbers are dyadic where that makes ties survive floating point. The same seed gives the
same instance.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.mdp.tree import token_tree
from policycliff.rewards.effective import effective_reward
from policycliff.shapes import Float64


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An MDP to run a statement on.

    Attributes:
        name: how tables call it.
        mdp: the MDP; it has an initial distribution.
        seed: what the random choices of checks are drawn from.
        rewards: (K, pairs) reward components and ...
        weights: ... (K, S) convex weights whose effective reward is `mdp.rewards`, or None for made-up ones.
    """

    name: str
    mdp: MDP
    seed: int = 0
    rewards: Float64[np.ndarray, "components pairs"] | None = None
    weights: Float64[np.ndarray, "components states"] | None = None

    def generator(self, purpose: str) -> np.random.Generator:
        """A random generator that depends on the seed, the instance and the purpose only."""
        return np.random.default_rng([self.seed, crc32(self.name.encode()), crc32(purpose.encode())])

    def tuple_of_rewards(
        self,
    ) -> tuple[Float64[np.ndarray, "components pairs"], Float64[np.ndarray, "components states"]]:
        """Three components and state-dependent weights with effective reward `mdp.rewards`, or the given ones.

        The weights are 1/2, 1/4, 1/4 in an order that depends on the state, and what is added to the components cancels
        exactly in the mixture where rewards are short dyadic numbers, so that ties survive.
        """
        if self.rewards is not None and self.weights is not None:
            return self.rewards, self.weights
        rng, mdp = self.generator("components"), self.mdp
        weights = np.array([rng.permutation([0.5, 0.25, 0.25]) for _ in range(mdp.n_states)]).T
        moving = ~mdp.terminal[mdp.pair_states]
        noise = rng.integers(-8, 9, (3, mdp.n_pairs)) / 8.0 * moving
        share = weights[:, mdp.pair_states]
        noise[2] = -(share[0] * noise[0] + share[1] * noise[1]) / share[2]
        return mdp.rewards + noise, weights


def with_tuple(
    name: str,
    mdp: MDP,
    *,
    seed: int,
    rewards: Float64[np.ndarray, "components pairs"],
    weights: Float64[np.ndarray, "components states"],
) -> Instance:
    """An instance whose reward is the effective reward of given components."""
    mixed = mdp.with_rewards(effective_reward(rewards, weights, mdp=mdp))
    return Instance(name=name, mdp=started(mixed), seed=seed, rewards=rewards, weights=weights)


def started(mdp: MDP) -> MDP:
    """The MDP with an initial distribution: its own, or the uniform one over states that are not terminal."""
    if mdp.initial is not None:
        return mdp
    alive = ~mdp.terminal if not mdp.terminal.all() else np.ones(mdp.n_states, dtype=bool)
    initial = alive / alive.sum()
    initial.flags.writeable = False
    return replace(mdp, initial=initial)


def built_in_instances(seed: int = 0) -> tuple[Instance, ...]:
    """The built-in instances: each is there because a statement needs it."""
    makers: tuple[tuple[str, Callable[[], MDP]], ...] = (
        ("tied bandit", _tied_bandit),
        ("unique chain", _unique_chain),
        ("tied chain", _tied_chain),
        ("clever slacker", _clever_slacker),
        ("three paths", _three_paths),
        ("graded completions", _graded_completions),
        ("discounted traces", _discounted_traces),
        ("sharp modulus", _sharp_modulus),
        ("early stop", _early_stop),
    )
    return tuple(Instance(name=name, mdp=started(make()), seed=seed) for name, make in makers)


def _tied_bandit() -> MDP:
    """One prompt, four answers: three equally good."""
    names = ["plain", "verbose", "hedged", "wrong"]
    return MDP.from_arrays(np.ones((1, 4, 1)), [[1.0, 1.0, 1.0, 0.0]], 0.0, initial=[1.0], action_names=names)


def _unique_chain() -> MDP:
    """Four states in a row, move on or stay, gamma = 0.9; every optimal action is unique."""
    kernel = np.zeros((4, 2, 4))
    for state in range(4):
        kernel[state, 0, min(state + 1, 3)] += 0.75
        kernel[state, 0, state] += 0.25
        kernel[state, 1, state] = 1.0
    rewards = [[0.0, 0.125], [0.0, 0.25], [0.0, 0.375], [1.0, 0.5]]
    return MDP.from_arrays(kernel, rewards, 0.9, initial=[1.0, 0.0, 0.0, 0.0])


def _tied_chain() -> MDP:
    """Three states, gamma = 1/2; in the first, two of three actions are copies of each other."""
    kernel = np.full((3, 3, 3), [0.5, 0.25, 0.25])
    rewards = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [-1.0, -2.0, 0.0]])
    return MDP.from_arrays(kernel, rewards, 0.5, initial=[1.0, 0.0, 0.0])


def _clever_slacker() -> MDP:
    """Solve or cheat at the second step: the grader pays both alike (section 3.2)."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1], kernel[0, 1, 2] = 1.0, 1.0
    kernel[1, :, 2] = 1.0
    rewards = np.array([[0.0, 0.25], [1.0, 1.0], [0.0, 0.0]])
    return MDP.from_arrays(
        kernel,
        rewards,
        0.5,
        terminal=np.array([False, False, True]),
        initial=[1.0, 0.0, 0.0],
        action_names=["honest", "shortcut"],
    )


def _three_paths() -> MDP:
    """Returns 10, 9 and 8.9 in 1, 2 and 6 steps; the last two share their first step (gamma = 1)."""
    successors = [6, 1, 6, 2, 3, 4, 5, 6]
    rewards = [10.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 8.9]
    kernel = np.eye(7)[successors]
    return MDP.from_pairs(
        [0, 0, 1, 1, 2, 3, 4, 5], kernel, rewards, 1.0, terminal=np.arange(7) == 6, initial=np.eye(7)[0]
    )


def _graded_completions() -> MDP:
    """Five completions of one prompt as a token tree, gamma = 1, outcome rewards with two equal best."""
    texts = ["think so 4", "think hard so 4", "guess 4", "guess 5", "think so 5"]
    return token_tree([text.split() for text in texts], [1.0, 1.0, 0.75, 0.0, 0.0])


def _discounted_traces() -> MDP:
    """Two correct traces, one two steps longer, and a wrong one; gamma = 0.9."""
    texts = ["so 4", "check it so 4", "so 5"]
    return token_tree([text.split() for text in texts], [1.0, 1.0, 0.0], gamma=0.9)


def _sharp_modulus() -> MDP:
    """A choice between two absorbing states: the extremal instance of the soft policy's modulus (Result 4)."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1], kernel[0, 1, 2] = 1.0, 1.0
    kernel[1, :, 1], kernel[2, :, 2] = 1.0, 1.0
    available = np.array([[True, True], [True, False], [True, False]])
    return MDP.from_arrays(kernel, np.zeros((3, 2)), 0.75, available=available, initial=[1.0, 0.0, 0.0])


def extremal_world(epsilon: float, gamma: float) -> tuple[MDP, Float64[np.ndarray, " pairs"]]:
    """Where a soft policy moves most: a choice between a state that gains and one that loses, and that change.

    Under the change of size epsilon the odds at the choice turn around: total variation tanh(epsilon / (2 alpha (1 -
    gamma))), which Result 4 claims and no world exceeds.
    """
    start = epsilon / (2.0 * (1.0 - gamma))
    kernel = np.zeros((4, 3))
    kernel[0, 1] = kernel[1, 2] = kernel[2, 1] = kernel[3, 2] = 1.0
    mdp = MDP.from_pairs([0, 0, 1, 2], kernel, [-start, start, 0.0, 0.0], gamma)
    return mdp, epsilon * np.array([1.0, -1.0, 1.0, -1.0])


def _early_stop() -> MDP:
    """One state: stop for 1, or stay for 0, gamma = 1/2; the radius 1/3 exceeds half the gap."""
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1], kernel[0, 1, 0] = 1.0, 1.0
    return MDP.from_arrays(kernel, [[1.0, 0.0], [0.0, 0.0]], 0.5, terminal=np.array([False, True]), initial=[1.0, 0.0])


KINDS = ("normal", "whole numbers", "copied action", "inverse Bellman", "terminal", "bandit", "tree", "discounted tree")


def random_instance(seed: int) -> Instance:
    """The random instance of this seed, of the kind `seed % 8`."""
    kind = KINDS[seed % len(KINDS)]
    rng = np.random.default_rng([2507, 20150, seed])
    mdp = _random_tree(rng, 1.0 if kind == "tree" else 0.75) if "tree" in kind else _random_mdp(rng, kind)
    return Instance(name=f"{kind}, seed {seed}", mdp=started(mdp), seed=seed)


def _random_mdp(rng: np.random.Generator, kind: str) -> MDP:
    """A small MDP with a dyadic kernel."""
    states = int(rng.integers(2, 5)) if kind != "bandit" else 1
    actions = int(rng.integers(2, 4))
    gamma = 0.0 if kind == "bandit" else float(rng.choice([0.0, 0.5, 0.875]))
    kernel = rng.multinomial(8, rng.dirichlet(np.ones(states)), size=(states, actions)) / 8.0
    rewards = rng.normal(size=(states, actions)) if kind == "normal" else rng.integers(-2, 3, (states, actions)) / 1.0
    if kind in {"copied action", "bandit"}:
        kernel[:, 1], rewards[:, 1] = kernel[:, 0], rewards[:, 0]
    if kind == "inverse Bellman":
        q = rng.integers(-2, 3, (states, actions)) / 1.0
        rewards = q - gamma * (kernel @ q.max(axis=1))
    terminal = np.arange(states) == (states - 1 if kind == "terminal" else -1)
    kernel[terminal], rewards[terminal] = 0.0, 0.0
    available = rng.random((states, actions)) < 0.9
    available[:, 0] = True
    initial = np.append(rng.integers(1, 4, states) / 1.0, 0.0)[:states] * ~terminal
    return MDP.from_arrays(
        kernel, rewards, gamma, available=available, terminal=terminal, initial=initial / initial.sum()
    )


def _random_tree(rng: np.random.Generator, gamma: float) -> MDP:
    """Two to five distinct token sequences with whole-number outcome rewards."""
    count = int(rng.integers(2, 6))
    words: set[tuple[str, ...]] = set()
    while len(words) < count:
        words.add(tuple(rng.choice(["a", "b", "c"], size=int(rng.integers(1, 4))).tolist()))
    ordered = sorted(words)
    return token_tree(ordered, rng.integers(0, 3, len(ordered)).astype(np.float64), gamma=gamma)
