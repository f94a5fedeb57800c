"""Breakpoints by brute force: every deterministic policy is a line in each state, V* is their upper envelope."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from core_oracles import dense, exact_policy_values, policies

from policycliff import MDP
from policycliff.mdp.compilation import frozen


def under(mdp, rewards):
    """The MDP with these rewards at terminal pairs set to 0."""
    return replace(mdp, rewards=frozen(np.where(mdp.terminal[mdp.pair_states], 0.0, rewards)))


class Line:
    """R + t * direction on a small MDP, solved by enumeration in fractions."""

    def __init__(self, mdp, direction, t_min, t_max):
        self.mdp, self.direction = mdp, direction
        self.t_min, self.t_max = Fraction(t_min), Fraction(t_max)
        self.kernel = [[Fraction(p) for p in row] for row in dense(mdp).tolist()]
        choices, moved = policies(mdp), under(mdp, direction)
        self.lines = [(exact_policy_values(mdp, pi), exact_policy_values(moved, pi)) for pi in choices]

    def values(self, t):
        states = range(self.mdp.n_states)
        return [max(v0[s] + t * v1[s] for v0, v1 in self.lines) for s in states]

    def members(self, t):
        values, gamma, mdp = self.values(t), Fraction(self.mdp.gamma), self.mdp
        moved = under(mdp, self.direction).rewards
        q = [
            Fraction(mdp.rewards[p])
            + t * Fraction(moved[p])
            + gamma * sum(w * v for w, v in zip(row, values, strict=True))
            for p, row in enumerate(self.kernel)
        ]
        return np.array([q[p] == values[s] for p, s in enumerate(mdp.pair_states)])

    def kinks(self, state):
        """Where the upper envelope of one state changes its slope, ends of the line included."""
        lines = {(v0[state], v1[state]) for v0, v1 in self.lines}
        t, result = self.t_min, {self.t_min, self.t_max}
        level, slope = max(lines, key=lambda line: (line[0] + t * line[1], line[1]))
        while True:
            ahead = [((level - v0) / (v1 - slope), v1, v0) for v0, v1 in lines if v1 > slope]
            if not ahead or min(ahead)[0] > self.t_max:
                return result
            t = min(ahead)[0]
            slope, level = max((v1, v0) for where, v1, v0 in ahead if where == t)
            result.add(t)

    def solve(self):
        """(breakpoints, sets at them, sets between, whether t_min is a breakpoint).

        Between kinks every Q* is affine, so no set changes there; at a kink it is compared with both sides.
        """
        corners = sorted(set().union(*(self.kinks(s) for s in range(self.mdp.n_states))))
        between = [self.members((a + b) / 2) for a, b in pairwise(corners)]
        points, here, cells = [], [], []
        for index, t in enumerate(corners):
            sides = between[max(index - 1, 0) : index + 1]
            at = self.members(t)
            changes = any((at != side).any() for side in sides)
            if changes:
                points.append(t)
                here.append(at)
            if index < len(between) and (changes or not cells):
                cells.append(between[index])
        return points, here, cells


def degenerate(seed, *, states=3, actions=3, gamma=0.5, deterministic=True):
    """Integer rewards, a kernel of few distinct rows, copied actions: many ties. Also an integer direction."""
    rng = np.random.default_rng(seed)
    if deterministic:
        kernel = np.eye(states)[rng.integers(states, size=(states, actions))]
    else:
        kernel = (
            rng.integers(0, 3, (states, actions, states)) + np.eye(states)[rng.integers(states, size=(states, actions))]
        )
        kernel /= kernel.sum(axis=2, keepdims=True)
    copied = rng.random(states) < 0.3
    kernel[copied, 1:] = kernel[copied, :1]
    rewards, direction = rng.integers(-1, 2, (2, states, actions)).astype(float)
    if rng.random() < 0.3 and actions > 1:
        rewards[:, 1], direction[:, 1], kernel[:, 1] = rewards[:, 0], direction[:, 0], kernel[:, 0]
    mdp = MDP.from_arrays(kernel, rewards, gamma, initial=np.eye(states)[0])
    return mdp, direction.ravel()
