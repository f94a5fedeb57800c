"""Targets from a true reward: the deterministic policies that attain the best true return among the tied optimum.

A policy optimal for the MDP's reward attains the best true return from the initial distribution exactly if, in every
state that it reaches, it chooses actions that are optimal for the true reward within A* (Result 6). What it does
elsewhere is free, so two targets differ only if they differ where they go. There can be exponentially many.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from policycliff.cliffs.degeneracy.optimal_sets import open_states, reached_within, settled_actions
from policycliff.cliffs.degeneracy.price import degeneracy_price
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Float64

# Every target costs a program.
MOST_TARGETS = 16

Policy = Float64[np.ndarray, " pairs"]


def best_targets(mdp: MDP, true_rewards: Any) -> tuple[list[Policy], bool]:
    """Deterministic policies that attain the best true return, and whether these are all, told apart by where they go.

    Raises:
        InvalidInputError: wrong rewards, or no initial distribution.
    """
    price = degeneracy_price(mdp, true_rewards)
    one = [price.best_policy]
    if price.status != "exact":
        return one, False
    smaller = restrict(mdp, price.members, rewards=mdp.with_rewards(true_rewards).rewards)
    actions = settled_actions(smaller.mdp, exact=False)
    members = np.zeros(mdp.n_pairs, dtype=bool)
    members[smaller.pairs[actions.members]] = True
    if (open_states(actions) & reached_within(mdp, members)).any():
        return one, False
    found = list(islice(_policies(mdp, members, price.best_policy), MOST_TARGETS + 1))
    return (found, True) if len(found) <= MOST_TARGETS else (one, False)


def _policies(mdp: MDP, members: np.ndarray, elsewhere: Policy) -> Iterator[Policy]:
    """Every way to choose one member in each state that is reached; other states as in `elsewhere`."""
    seeds = [] if mdp.initial is None else np.flatnonzero(mdp.initial).tolist()
    pending: list[tuple[dict[int, int], list[int]]] = [({}, seeds)]
    while pending:
        chosen, waiting = pending.pop()
        waiting = [state for state in waiting if state not in chosen]
        if not waiting:
            yield _with_choices(mdp, elsewhere, chosen)
            continue
        state, rest = waiting[0], waiting[1:]
        first, last = int(mdp.offsets[state]), int(mdp.offsets[state + 1])
        for pair in (first + np.flatnonzero(members[first:last])).tolist()[::-1]:
            span = slice(int(mdp.indptr[pair]), int(mdp.indptr[pair + 1]))
            ahead = mdp.successors[span].tolist() if mdp.gamma > 0.0 else []
            pending.append(({**chosen, state: pair}, rest + ahead))


def _with_choices(mdp: MDP, elsewhere: Policy, chosen: dict[int, int]) -> Policy:
    policy = elsewhere.copy()
    for state, pair in chosen.items():
        policy[mdp.offsets[state] : mdp.offsets[state + 1]] = 0.0
        policy[pair] = 1.0
    return frozen(policy)
