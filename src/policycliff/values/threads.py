"""Backups of large MDPs on several threads: each takes a range of states.

Kernels release the interpreter lock, and each Q-value is computed from the same numbers in the same order whatever
the ranges are: results do not depend on the number of threads.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from policycliff.mdp.model import MDP

Run = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]
Ranges = tuple[tuple[int, int], ...]

# Less than this for a thread costs more to hand out than it saves.
NONZEROS_A_THREAD = 400_000
STATES_A_THREAD = 2_500


def available_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def state_ranges(mdp: MDP, threads: int | None) -> Ranges:
    """Ranges of states with about equally many probabilities, one a thread; None: as many threads as pay."""
    paying = min(mdp.n_states // STATES_A_THREAD, mdp.successors.size // NONZEROS_A_THREAD)
    count = max(min(available_threads() if threads is None else threads, paying), 1)
    if count == 1:
        return ((0, mdp.n_states),)
    # A state counts as one more probability, so that states without any do not all end up together.
    work = mdp.first_successors + np.arange(mdp.n_states + 1)
    inner = np.searchsorted(work, np.linspace(0, int(work[-1]), count + 1)[1:-1])
    bounds = np.unique(np.concatenate([[0], inner, [mdp.n_states]]))
    return tuple((int(first), int(last)) for first, last in pairwise(bounds.tolist()))


@contextmanager
def workers(count: int) -> Iterator[Run]:
    """A function that calls another one with each of several tuples of arguments, the first one on this thread."""
    if count == 1:
        yield lambda function, calls: [function(*call) for call in calls]
        return
    with ThreadPoolExecutor(count - 1, thread_name_prefix="policycliff") as pool:

        def run(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
            waiting = [pool.submit(function, *call) for call in calls[1:]]
            return [function(*calls[0]), *(task.result() for task in waiting)]

        yield run
