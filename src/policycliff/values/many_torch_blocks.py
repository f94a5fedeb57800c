"""Modified policy iteration for one block of rewards on a PyTorch device: see `policycliff.values.many_torch`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.certificate_kernels import Constants
from policycliff.values.many_kernels import RUNNING, judge_rows
from policycliff.values.many_rows import Plan
from policycliff.values.many_torch_layout import Upload
from policycliff.values.many_torch_sweeps import GreedyRows, SoftRows, evaluate, greedy_rows, soft_rows
from policycliff.values.many_torch_world import World
from policycliff.values.sweep_kernels import EVALUATION_SHARE

# Sweeps under one policy. Where states are absorbing policies are bad before values have spread: few sweeps while more
# than this share of the choices changes, but for every eighth backup.
SWEEPS, FEW_SWEEPS, CHANGING, NOW_AND_THEN = 50, 5, 1e-3, 8


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is the same for all blocks; tensors are on the device.

    Attributes:
        plan: what was asked for.
        world: the MDP.
        constants: what the certificates depend on.
        base: (pairs, 1) the weights of the soft maximum, or None.
        start: (states, 1) values to start from, or None.
        shifted: whether the middle of the certified interval is added after each backup.
        upload: what copies an array to the device.
    """

    plan: Plan
    world: World
    constants: Constants
    base: Any
    start: Any
    shifted: bool
    upload: Upload

    def maxima(self, q: Any) -> tuple[Any, Any]:
        """(states, rewards) maxima of q, or soft ones, and the greedy pairs."""
        top, chosen = self.world.greedy(q)
        if self.base is not None:
            top = self.world.soft_maximum(q, self.base, self.constants.temperature)
        return top, chosen


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Rewards of a block with their certificates, see `judge_rows`; `rows` says which they are.

    `spans` are the changes at which sweeps under one policy may stop.
    """

    rows: Int64[np.ndarray, " rewards"]
    sizes: Float64[np.ndarray, " rewards"]
    best: Float64[np.ndarray, " rewards"]
    bounds: Float64[np.ndarray, " rewards"]
    shifts: Float64[np.ndarray, " rewards"]
    stalled: Int64[np.ndarray, " rewards"]
    codes: Int64[np.ndarray, " rewards"]
    sweeps: Int64[np.ndarray, " rewards"]
    spans: Float64[np.ndarray, " rewards"]

    def only(self, which: Bool[np.ndarray, " rewards"]) -> "Judged":
        """Some of them."""
        return replace(self, **{field.name: getattr(self, field.name)[which] for field in fields(self)})


def solve_block(
    task: Task, rewards: Any, sizes: Float64[np.ndarray, " rewards"]
) -> Iterator[tuple[Judged, Float64[np.ndarray, "found pairs"]]]:
    """Solve rewards (pairs, rewards) on the device, of these sizes.

    Whenever some are done: their certificates and their Q-values, (found, pairs) in the order of the world's pairs.
    """
    count, limit = sizes.size, task.plan.limit
    running = Judged(
        rows=np.arange(count),
        sizes=sizes,
        best=np.full(count, np.inf),
        bounds=np.full(count, np.inf),
        shifts=np.zeros(count),
        stalled=np.zeros(count, np.int64),
        codes=np.full(count, RUNNING),
        sweeps=np.zeros(count, np.int64),
        spans=np.zeros(count),
    )
    v, chosen = _first_values(task, rewards)
    for sweep in range(1, limit + 1):
        q, previous = task.world.back_up(rewards, v), chosen
        top, chosen = task.maxima(q)
        changed = _judge(task, running, change=top - v, v=v, other=chosen != previous, last=sweep == limit)
        done = running.codes != RUNNING
        if done.any():
            yield running.only(done), q[:, task.upload(np.flatnonzero(done))].T.cpu().numpy()
            if done.all():
                return
            running, changed, left = running.only(~done), changed[~done], task.upload(np.flatnonzero(~done))
            rewards, q, top, chosen = rewards[:, left], q[:, left], top[:, left], chosen[:, left]
        settled = task.shifted or sweep % NOW_AND_THEN == 0 or bool(changed.mean() <= CHANGING)
        v = _advance(task, running, rewards, q=q, top=top, chosen=chosen, settled=settled)


def _judge(
    task: Task, running: Judged, *, v: Any, change: Any, other: Any, last: bool
) -> Float64[np.ndarray, " rewards"]:
    """Fill in the certificates of the backup of v; returns the share of states where the choice is another one."""
    parts = (change.amin(dim=0), change.amax(dim=0), v.abs().amax(dim=0), other.double().mean(dim=0))
    ranges = np.stack([part.cpu().numpy() for part in parts])
    low, high, value_sizes, changed = ranges
    settings = (task.constants, task.plan.tolerance, last, False)
    found = (running.shifts, running.bounds, running.best, running.stalled, running.codes, running.sweeps)
    judge_rows(low, high, value_sizes, running.sizes, *settings, *found, running.spans)
    np.maximum(running.spans, EVALUATION_SHARE * (high - low), out=running.spans)
    return changed


def _advance(task: Task, running: Judged, rewards: Any, *, q: Any, top: Any, chosen: Any, settled: bool) -> Any:
    """The values to back up next: those of the policies of a backup, nearly, or `top` where rows are too long."""
    world = task.world
    v = top + task.upload(running.shifts) if task.shifted else top
    rows: GreedyRows | SoftRows
    if task.base is not None:
        rows = soft_rows(world, rewards, q=q, top=top, base=task.base, temperature=task.constants.temperature)
    elif world.successors is not None:
        rows = greedy_rows(world, rewards, chosen)
    else:
        return v
    limit = SWEEPS if settled else FEW_SWEEPS
    return evaluate(rows, v, spans=task.upload(running.spans), limit=limit, shifted=task.shifted)


def _first_values(task: Task, rewards: Any) -> tuple[Any, Any]:
    """The start, or max R, and the pairs that are best at once.

    Absorbing states get their values for ever, which sweeps would be slow to find.
    """
    best, chosen = task.maxima(rewards)
    v = best if task.start is None else task.start.expand(best.shape).clone()
    if task.shifted:
        return v, chosen
    rest = 1.0 - task.constants.gamma
    return v.where(task.world.moving > 0.0, best / (rest if rest > 0.0 else 1.0)), chosen
