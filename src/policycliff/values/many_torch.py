"""`solve_many` on a PyTorch device: modified policy iteration for all rewards of a block at once.

Backups, maxima and the ranges that the certificate of `policycliff.values.certificates` needs are computed on the
device in float64, one column a reward; the certificate itself on the host, reward by reward. A reward that is done
leaves the block. Between backups come sweeps under the greedy or soft policy of each reward; hard backups follow each
other directly where some row has more than `many_torch_layout.LONGEST` successors. Where no state is absorbing the
middle of the certified interval is added after each backup; elsewhere sweeps are extrapolated.

Rounding. The certificate allows sums in any order, with or without fused operations, and errors of exp and log of 4
units in the last place. For both CUDA names 1 in double precision (CUDA C++ Programming Guide, mathematical
functions: from extensive tests, not proven); so do SLEEF and Intel's library, of which PyTorch uses one on processors.
TensorFloat-32 concerns matrix products and convolutions in float32; no matrix product of a library is called here at
all. Results are the same in every run on the same device; they differ from those without one by no more than the sum
of the bounds.

Cost: a block of C rewards takes about 8 * C * (8 * pairs + (2k + 12) * states) bytes on the device, k the longest row;
C is chosen so that half of the memory that is free suffices. Small worlds gain nothing: each backup takes tens of calls
of the device, and more for long rows, whatever its size.
"""

from functools import partial
from typing import Any

import numpy as np

from policycliff.extras import require
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.shapes import Float64
from policycliff.values.gauss_seidel import absorbing
from policycliff.values.many_kernels import read_rows, shift_rows
from policycliff.values.many_rows import STATUSES, Plan, Rows
from policycliff.values.many_torch_blocks import Task, solve_block
from policycliff.values.many_torch_layout import Upload, put_on_device
from policycliff.values.many_torch_world import World
from policycliff.values.operator import make_constants

PURPOSE = "solve_many(device=...)"
# Rewards at once, at most; bytes for them where the free memory of a device is not known.
MOST_COLUMNS, DEFAULT_BYTES = 1024, 2**29


def choose_device(name: Any) -> Any:
    """The PyTorch device of this name, which was seen to compute in float64.

    Raises:
        MissingExtraError: PyTorch is not installed.
        InvalidInputError: there is no such device, or it has no float64.
    """
    torch = require("torch", extra="torch", purpose=PURPOSE)
    try:
        device = torch.device(name)
        torch.ones(1, dtype=torch.float64, device=device).exp().item()
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise fail(
            got=f"device = {name!r}, of which PyTorch {torch.__version__} says: {reason}",
            expected="a device with float64 that is there, such as 'cuda', 'cuda:1' or 'cpu'",
            remedy="Leave `device` out to solve without PyTorch, or install a build of PyTorch for this device.",
        ) from error
    return device


def solve_rows_on_device(plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"], *, device: Any) -> Rows:
    """Solve checked rewards on a device from `choose_device`."""
    torch = require("torch", extra="torch", purpose=PURPOSE)
    mdp, count = plan.mdp, len(rewards)
    base = frozen(np.ones(1)) if plan.regularizer is None else plan.regularizer.base(mdp)
    upload = partial(torch.as_tensor, device=device)
    task = _make_task(plan, base, upload)
    q, values = np.empty((count, mdp.n_pairs)), np.empty((count, mdp.n_states))
    shifts, bounds = np.zeros(count), np.empty(count)
    sweeps, codes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    width = _columns(torch, task.world, device)
    for first in range(0, count, width):
        block = slice(first, first + width)
        sizes = np.abs(rewards[block]).max(axis=1)
        paid = upload(np.ascontiguousarray(rewards[block][:, task.world.pairs].T))
        for found, columns in solve_block(task, paid, sizes):
            rows = first + found.rows
            q[rows[:, None], task.world.pairs] = columns
            shifts[rows], bounds[rows] = found.shifts, found.bounds
            sweeps[rows], codes[rows] = found.sweeps, found.codes
    read_rows(mdp.offsets, base, task.constants.temperature, q, values)
    shift_rows(mdp.offsets, mdp.terminal, shifts, bounds, q, values)
    return Rows(values, q, bounds, sweeps, tuple(STATUSES[code] for code in codes.tolist()))


def _make_task(plan: Plan, base: Float64[np.ndarray, " base"], upload: Upload) -> Task:
    mdp = plan.mdp
    ends = absorbing(mdp)
    shifted = not ends.any()
    world = put_on_device(mdp, ~ends, padded=plan.regularizer is None, upload=upload)
    return Task(
        plan=plan,
        world=world,
        constants=make_constants(mdp, plan.regularizer, base),
        base=None if plan.regularizer is None else upload(base[world.pairs][:, None]),
        start=None if plan.start is None else upload(plan.start.values[world.states][:, None]),
        shifted=shifted,
        upload=upload,
    )


def _columns(torch: Any, world: World, device: Any) -> int:
    """How many rewards to solve at once on this device."""
    free = torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else DEFAULT_BYTES
    longest = 0 if world.successors is None else len(world.successors)
    size = 8 * (8 * world.pairs.size + (2 * longest + 12) * world.states.size)
    return max(1, min(MOST_COLUMNS, free // size))
