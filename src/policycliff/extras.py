"""Optional packages, imported where they are used; a missing one is named with its extra."""

from importlib import import_module
from typing import Any

from policycliff.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> Any:
    """The module.

    Raises:
        MissingExtraError: it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed. Install it with: pip install 'policycliff[{extra}]'"
        ) from error
