"""A progress bar on standard error, only where a person watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def shown_progress(*, enabled: bool) -> Iterator[Callable[[str, float], None]]:
    """A function that takes what is being done and the share of the work behind, and shows both."""
    console = Console(stderr=True)
    if not enabled or not console.is_terminal:
        yield _say_nothing
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        def show(stage: str, share: float) -> None:
            bar.update(task, description=stage, completed=share)

        yield show


def _say_nothing(_stage: str, _share: float) -> None:
    pass
