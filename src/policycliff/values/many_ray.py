"""`solve_many` on a Ray cluster: pieces of the rewards are solved by worker processes, on this machine or on several.

Which cluster that is, `policycliff.ray_cluster` says.

Guarantee: every reward is solved as `policycliff.values.many_rows` solves it here, grouped with the same others, so on
processors of one kind the results are those of one process, to the bit (the exponentials of soft policies may differ in
the last bit between kinds; the error bounds allow for it). A task whose worker dies is run again elsewhere.

Cost: the kernel goes to each node once a block, the rewards and results once. At most two tasks a slot are under way,
so that memory does not grow with the number of rewards, but for the results themselves.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from math import ceil
from typing import Any

import numpy as np

from policycliff.mdp.messages import fail
from policycliff.ray_cluster import RETRIES, connected_ray, result_of, task_of
from policycliff.shapes import Float64
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.many_rows import Plan, Rows, solve_rows

# Pieces for each slot (a worker's place on the cluster), so that one slow worker does not hold up the rest.
PIECES_A_SLOT = 4
# Tasks handed out for each slot: one that runs, one that waits.
TASKS_A_SLOT = 2
# Probabilities times rewards in a piece: tens of milliseconds of work, beside a few to hand it out.
WORK_A_PIECE = 500_000
# Bytes of rewards and results of a piece.
LARGEST_PIECE = 16 * 2**20

_REMEDY = "run fewer tasks at a time with a larger `threads`"


def solve_rows_on_ray(plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Rows:
    """Solve checked rewards in tasks of `plan.threads` processors each.

    Raises:
        InvalidInputError: no node has so many processors.
        WorkerLostError: every worker that took a piece died, or none could start; the message says which rewards.
    """
    count = len(rewards)
    if count == 0:
        return solve_rows(plan, rewards)
    ray = connected_ray()
    slots = _slots(ray, plan.threads)
    pieces = _pieces(plan, count, slots)
    values, q = np.empty((count, plan.mdp.n_states)), np.empty((count, plan.mdp.n_pairs))
    bounds, sweeps, statuses = np.empty(count), np.empty(count, np.int64), [""] * count
    with closing(_solved(ray, plan, rewards, pieces, TASKS_A_SLOT * slots)) as solved:
        for piece, found in solved:
            # What Ray gives are views of its own store; it can forget them once they are copied.
            values[piece], q[piece] = found.values, found.q_values
            bounds[piece], sweeps[piece] = found.error_bounds, found.iterations
            statuses[piece] = found.statuses
    return Rows(values, q, bounds, sweeps, tuple(statuses))


def _slots(ray: Any, threads: int) -> int:
    """How many tasks of so many processors the cluster can run at a time; 1 where it has no processor yet."""
    nodes = [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]
    slots = sum(int(cpus // threads) for cpus in nodes)
    if slots == 0 and any(nodes):
        raise fail(
            got=f"threads = {threads} with executor = 'ray'",
            expected=f"at most {int(max(nodes))}, the processors of the largest node of the cluster",
            remedy="Leave `threads` out for one processor a task.",
        )
    return max(slots, 1)


def _pieces(plan: Plan, count: int, slots: int) -> list[slice]:
    """The rewards of each task; no group of eight that is solved together is cut."""
    unit = COLUMNS if plan.method == "modified_policy_iteration" else 1
    fair = count / (PIECES_A_SLOT * slots)
    worth = WORK_A_PIECE / max(plan.mdp.successors.size, 1)
    largest = LARGEST_PIECE / (8 * (2 * plan.mdp.n_pairs + plan.mdp.n_states))
    size = unit * max(ceil(min(max(fair, worth), largest) / unit), 1)
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def _solved(
    ray: Any, plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"], pieces: list[slice], limit: int
) -> Generator[tuple[slice, Rows], None, None]:
    """Each piece when it is solved, at most `limit` of them under way; those left after an error are cancelled.

    A cancelled task ends after the group of rewards in its hands; Ray may let one run on that was about to start.
    """
    task = task_of(solve_rows, RETRIES).options(num_cpus=plan.threads)
    shared = ray.put(_bare(plan))
    waiting: dict[Any, slice] = {}
    left = iter(pieces)
    try:
        while True:
            for piece in islice(left, limit - len(waiting)):
                waiting[task.remote(shared, rewards[piece])] = piece
            if not waiting:
                return
            done = ray.wait(list(waiting), num_returns=1)[0][0]
            piece = waiting.pop(done)
            yield piece, _result(ray, done, piece)
    finally:
        for reference in waiting:
            ray.cancel(reference)


def _bare(plan: Plan) -> Plan:
    """The plan without the names and what else workers need not read again for each task."""
    return replace(plan, mdp=replace(plan.mdp, state_names=None, action_names=None, initial=None))


def _result(ray: Any, reference: Any, piece: slice) -> Rows:
    """What a task returned; what it raised is raised here as it was."""
    rows = f"rows {piece.start} to {piece.stop - 1} of the rewards"
    found: Rows = result_of(ray, reference, rows, tries=RETRIES + 1, remedy=_REMEDY)
    return found
