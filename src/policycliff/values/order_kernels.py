"""Compiled passes that put states into the order in which values spread. Cost: O(nonzeros) each."""

import numpy as np

from policycliff.mdp.compilation import Flags, Indices, Integers, compiled


@compiled
def absorbing_states(offsets: Integers, indptr: Integers, successors: Indices) -> Flags:
    """(states,) whether no successor of any action is another state."""
    out = np.ones(offsets.size - 1, np.bool_)
    for state in range(out.size):
        for k in range(indptr[offsets[state]], indptr[offsets[state + 1]]):
            if successors[k] != state:
                out[state] = False
                break
    return out


@compiled
def predecessors(first: Integers, successors: Indices) -> tuple[Integers, Indices]:
    """CSR lists of the states that have a state among their successors, successors[first[s]:first[s + 1]]."""
    n_states = first.size - 1
    starts = np.zeros(n_states + 1, np.int64)
    for k in range(successors.size):
        starts[successors[k] + 1] += 1
    for state in range(n_states):
        starts[state + 1] += starts[state]
    places = starts[:-1].copy()
    before = np.empty(successors.size, np.int32)
    for state in range(n_states):
        for k in range(first[state], first[state + 1]):
            before[places[successors[k]]] = state
            places[successors[k]] += 1
    return starts, before


@compiled
def by_distance(starts: Integers, before: Indices, seeds: Flags) -> Indices:
    """States by the least number of steps to a seed, breadth first; those that reach none come last, in their order."""
    n_states = seeds.size
    seen, order, found = seeds.copy(), np.empty(n_states, np.int32), 0
    for state in range(n_states):
        if seeds[state]:
            order[found] = state
            found += 1
    done = 0
    while done < found:
        for k in range(starts[order[done]], starts[order[done] + 1]):
            if not seen[before[k]]:
                seen[before[k]] = True
                order[found] = before[k]
                found += 1
        done += 1
    for state in range(n_states):
        if not seen[state]:
            order[found] = state
            found += 1
    return order
