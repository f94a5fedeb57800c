"""Warnings that never end a training run."""

import contextlib
import logging
import warnings
from collections.abc import Callable

LOGGER = logging.getLogger("policycliff")


def caution(text: str, category: type[Warning]) -> None:
    """Say it as a Python warning and in the log; nothing is raised, not even where warnings are errors."""
    LOGGER.warning(text)
    with contextlib.suppress(category):
        warnings.warn(text, category, stacklevel=4)


def first_trouble(where: object) -> Callable[[str, BaseException], None]:
    """A function that tells of the first failure and keeps still about the others."""
    told: list[str] = []

    def tell(what: str, error: BaseException) -> None:
        if not told:
            told.append(what)
            caution(
                f"policycliff could not {what} in {where} ({error!r}). Training goes on; further failures are not "
                "reported.",
                RuntimeWarning,
            )

    return tell
