"""Compiled passes over a graph of states in CSR form: an order without steps back, numbers of ways, values.

Each is linear in states and steps.
"""

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Integers, compiled


@compiled
def topological_order(offsets: Integers, targets: Integers) -> Integers:
    """States such that every step leads forward (Kahn); those on a cycle, or behind one, are left out."""
    n = len(offsets) - 1
    entering = np.zeros(n, dtype=np.int64)
    for target in targets:
        entering[target] += 1
    order = np.empty(n, dtype=np.int64)
    count = 0
    for state in range(n):
        if entering[state] == 0:
            order[count] = state
            count += 1
    done = 0
    while done < count:
        state = order[done]
        done += 1
        for k in range(offsets[state], offsets[state + 1]):
            entering[targets[k]] -= 1
            if entering[targets[k]] == 0:
                order[count] = targets[k]
                count += 1
    return order[:count]


@compiled
def log_ways(order: Integers, offsets: Integers, targets: Integers, is_root: Flags) -> Floats:
    """Natural logarithm of the number of ways from the roots to each state; -inf for none."""
    ways = np.where(is_root, 0.0, -np.inf)
    for state in order:
        if ways[state] == -np.inf:
            continue
        for k in range(offsets[state], offsets[state + 1]):
            ways[targets[k]] = np.logaddexp(ways[targets[k]], ways[state])
    return ways


@compiled
def best_reachable(
    order: Integers, offsets: Integers, targets: Integers, at_end: Floats
) -> tuple[Floats, Floats, Integers]:
    """Best value at an end that can be reached from each state, the best of its worse actions, its best actions.

    Ending is an action where `at_end` is not -inf.
    """
    best, worse = at_end.copy(), np.full(len(at_end), -np.inf)
    ties = np.where(at_end > -np.inf, 1, 0)
    for i in range(len(order) - 1, -1, -1):
        state = order[i]
        for k in range(offsets[state], offsets[state + 1]):
            value = best[targets[k]]
            if value > best[state]:
                worse[state], best[state], ties[state] = best[state], value, 1
            elif value == best[state]:
                ties[state] += 1
            else:
                worse[state] = max(worse[state], value)
    return best, worse, ties
