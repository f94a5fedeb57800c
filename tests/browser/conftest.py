"""Fixtures of the tests in a browser."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))

from headless import Visit, running_browser, visited


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser a module: at its end Playwright's loop stops, so that other tests may run loops of their own."""
    with running_browser() as found:
        yield found


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens markup in a fresh context, as `headless.visited` does."""
    with ExitStack() as stack:
        yield lambda markup, **options: stack.enter_context(visited(browser, markup, tmp_path, **options))


@pytest.fixture
def open_page(visit: Callable[..., Visit]) -> Callable[..., Any]:
    """Opens markup in a fresh context and gives Playwright's page."""
    return lambda markup, **options: visit(markup, **options).page
