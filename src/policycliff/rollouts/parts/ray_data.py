"""How we use Ray Data: silently, with a shuffle made of tasks, and with our errors as they were raised."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from policycliff.errors import PolicyCliffError
from policycliff.ray_cluster import RETRIES, given_up

REMEDY = "let fewer tasks share it: start the nodes with a smaller `--num-cpus`"
PATIENCE = 1800
"""Seconds in which nothing is finished before work is given up: Ray Data replaces dead workers without end."""
_SHUFFLE_BYTES = 256 * 2**20
"""Bytes that a task of the shuffle holds."""


class _CarriedError(Exception):
    """An error of ours on its way; Ray Data adds advice of its own to the message of the one that it sees."""


@contextmanager
def errors_carried() -> Iterator[None]:
    """On a worker: raise an error of ours so that `errors_as_they_were` finds it whole."""
    try:
        yield
    except PolicyCliffError as error:
        raise _CarriedError(error) from None


@contextmanager
def our_context(data: Any) -> Iterator[None]:
    """Settings of Ray Data for our work; it says nothing on a terminal that is not its own."""
    context = data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.shuffle_strategy = data.context.ShuffleStrategy.SHUFFLE_V2
    context.shuffle_compression = "none"  # the blobs are compressed
    context.shuffle_input_batch_bytes = _SHUFFLE_BYTES
    context.execution_no_progress_timeout_s = PATIENCE
    handlers = [item for item in logging.getLogger("ray.data").handlers if isinstance(item, logging.StreamHandler)]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        with data.DataContext.current(context):
            yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


@contextmanager
def errors_as_they_were(ray: Any, data: Any) -> Iterator[None]:
    """Raise what was raised in a worker as if it had been raised here."""
    fails = (ray.exceptions.RayError, data.exceptions.SystemException, data.exceptions.ExecutionTimeoutError)
    try:
        yield
    except fails as error:
        cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
        if isinstance(cause, _CarriedError):
            raise cause.args[0] from None
        if isinstance(cause, fails):
            raise given_up("the table's rows", cause, tries=RETRIES + 1, remedy=REMEDY) from error
        raise cause from None
