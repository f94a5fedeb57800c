"""The Ray cluster that work is sent to, and what comes back from it.

It is the one this process is connected to; else the one that RAY_ADDRESS or `ray start` names; else one that Ray starts
on this machine, which stays up until this process ends or calls `ray.shutdown()`: starting takes seconds, and the next
piece of work should not pay them again. Workers import policycliff: every node needs it, in the same version.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from policycliff.errors import WorkerLostError
from policycliff.extras import require

RETRIES = 3
"""Times that a task is tried again after its worker's death; one that kills each of them must not go on for ever."""


def require_ray(module: str = "ray") -> Any:
    """The package, or a module of it.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require(module, extra="ray", purpose="executor='ray'")


def connected_ray() -> Any:
    """The package, connected to a cluster.

    Raises:
        MissingExtraError: it is not installed.
    """
    ray = require_ray()
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    return ray


def processors(ray: Any) -> int:
    """How many processors the cluster has; 1 where it has none yet."""
    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


@cache
def task_of(function: Callable[..., Any], retries: int) -> Any:
    """The function as a Ray task; made once, as each one made is kept by the cluster."""
    return require_ray().remote(max_retries=retries)(function)


def result_of(ray: Any, reference: Any, work: str, *, tries: int, remedy: str) -> Any:
    """What a task returned; what it raised is raised here as it was.

    Args:
        ray: The package.
        reference: What stands for the result.
        work: What the task works on, for messages.
        tries: How often it is tried.
        remedy: What to do if memory ran out.

    Raises:
        WorkerLostError: Every worker that took the task died, or none could start.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
        if isinstance(cause, ray.exceptions.RayError):
            raise given_up(work, cause, tries=tries, remedy=remedy) from error
        cause.add_note(f"In a Ray task, for {work}.")
        raise cause from None


def given_up(work: str, error: Exception, *, tries: int, remedy: str) -> WorkerLostError:
    """What to raise when Ray itself fails; arguments as those of `result_of`."""
    reason = str(error).partition("\n")[0]
    return WorkerLostError(
        f"Got no result for {work} from Ray ({type(error).__name__}: {reason}); expected a worker that can import "
        f"policycliff and lives to the end (each task is tried {tries} times). Install policycliff "
        f"on every node; if memory ran out, {remedy}."
    )
