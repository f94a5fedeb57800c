"""Headless Chromium for the tests: a browser, and pages that note whatever they should not do."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Playwright adds --headless itself. The sandbox cannot work for root, nor in most containers.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LISTENER = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass(frozen=True)
class Visit:
    """A page that was opened.

    Attributes:
        page: Playwright's page.
        address: Its file as an address.
        messages: What the console showed, and errors that nothing caught.
        requests: Addresses that were asked for.
        dialogs: Texts of the dialogs that opened; they are dismissed.
    """

    page: Any
    address: str
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """What the page's content security policy has forbidden so far."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@contextmanager
def running_browser() -> Iterator[Any]:
    """Chromium; without it or without Playwright the test is skipped, or fails in continuous integration.

    Playwright's loop runs in this thread until the end, so tests with a loop of their own must come after it.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        give_up(f"no browser: none of {', '.join(_NAMES)} is installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        give_up("Playwright is not installed: pip install '.[browser]'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(
    browser: Any, markup: str, folder: Path, *, width: int = 1200, scheme: str = "light", **options: Any
) -> Iterator[Visit]:
    """The page with this markup, opened from a file in a context of its own; options are those of Playwright's."""
    file = folder / "page.html"
    file.write_text(markup, encoding="utf-8")
    viewport = {"width": width, "height": 800}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce", **options)
    try:
        context.add_init_script(_LISTENER)
        visit = Visit(context.new_page(), file.as_uri())
        _listen(visit)
        visit.page.goto(visit.address)
        yield visit
    finally:
        context.close()


def _listen(visit: Visit) -> None:
    page = visit.page
    page.on("console", lambda message: visit.messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: visit.messages.append(f"error: {error}"))
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("dialog", _dismissing(visit.dialogs))


def _dismissing(dialogs: list[str]) -> Callable[[Any], None]:
    def dismiss(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    return dismiss


def give_up(reason: str) -> None:
    """Skips the test for this reason, or fails it in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; with CI set these tests may not be skipped")
    pytest.skip(reason)
