"""Compiled count of the paths of an acyclic MDP, in logarithms. Cost: O(nonzeros)."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled


@compiled
def _log_sum(logs: Floats, count: int) -> float:
    """Logarithm of the sum of exp of the first entries."""
    top = logs[0]
    for k in range(1, count):
        top = max(top, logs[k])
    total = 0.0
    for k in range(count):
        total += np.exp(logs[k] - top)
    return top + np.log(total)


@compiled
def log_path_counts(
    order: Integers, offsets: Integers, indptr: Integers, successors: Indices, members: Flags, least: Flags
) -> Floats:
    """Per state the log of the number of paths to the end that use member pairs only.

    Where `least` holds only one member is taken: the one with the fewest paths.
    """
    logs = np.zeros(order.size)
    widest = 0
    for state in range(order.size):
        widest = max(widest, indptr[offsets[state + 1]] - indptr[offsets[state]])
    room = np.empty(widest + 1)
    for i in range(order.size):
        state = order[i]
        count, fewest = 0, np.inf
        for pair in range(offsets[state], offsets[state + 1]):
            if not members[pair]:
                continue
            begin = count
            for k in range(indptr[pair], indptr[pair + 1]):
                room[count] = logs[successors[k]]
                count += 1
            if least[state] and count > begin:
                fewest = min(fewest, _log_sum(room[begin:], count - begin))
        if count > 0:
            logs[state] = fewest if least[state] else _log_sum(room, count)
    return logs
