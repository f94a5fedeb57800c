"""Commands that are built when they are called or looked into, so that `policycliff --help` need not read them all."""

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand


class Listed(NamedTuple):
    """A command as the list of commands shows it.

    Attributes:
        place: Where it is, as `module:function`.
        summary: The first line of its docstring.
    """

    place: str
    summary: str


class LazyCommand(TyperCommand):
    """A command of which only the name and the summary are known until it is called or its parameters are asked for.

    Its callback takes nothing and gives the function that Typer shall make the command of.
    """

    @cached_property
    def built(self) -> Any:
        """The command itself."""
        assert self.callback is not None, "Typer gives every command its callback"  # noqa: S101
        alone = typer.Typer(add_completion=False, rich_markup_mode=self.rich_markup_mode)
        alone.command(self.name)(self.callback())
        return typer.main.get_command(alone)

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """The context of the command itself, which is therefore what parses, runs and prints its help."""
        return self.built.make_context(*arguments, **more)

    @property
    def params(self) -> Any:
        """The command's parameters."""
        return self.built.params

    @params.setter
    def params(self, _none: Any) -> None:
        """Typer finds no parameters on the callback, and says so."""


def add_commands(app: typer.Typer, commands: Mapping[str, Listed]) -> None:
    """Add commands by name, without importing them."""
    for name, listed in commands.items():
        app.command(name, cls=LazyCommand, help=listed.summary)(_importer(listed.place))


def _importer(place: str) -> Callable[[], Any]:
    module, function = place.split(":")

    def imported() -> Any:
        return getattr(import_module(module), function)

    return imported
