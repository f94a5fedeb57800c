"""Typer's help without what Typer imports for it and this command line never shows: Markdown and tracebacks.

They bring a Markdown parser and Pygments, a quarter of the time that `--help` takes.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}


class _Deferred(type):
    """A class that imports the real one of its module and name when it is used, in case Typer comes to use it."""

    def _real(cls) -> Any:
        return getattr(import_module(cls.__module__), cls.__name__)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._real()(*args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls._real(), name)


def import_help() -> None:
    """Import what Typer renders help with; the stand-ins are gone from `sys.modules` when this returns."""
    absent = [name for name in _UNUSED if name not in sys.modules]
    for name in absent:
        stand_in = ModuleType(name)
        setattr(stand_in, _UNUSED[name], _Deferred(_UNUSED[name], (), {"__module__": name}))
        sys.modules[name] = stand_in
    try:
        import_module("typer.rich_utils")
    finally:
        for name in absent:
            del sys.modules[name]
