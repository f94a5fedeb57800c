"""The work of `policycliff explore`: the table is read again, then pages until Ctrl-C. Imports what is heavy."""

import os
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import typer

from policycliff.cli.process import exit_codes
from policycliff.cli.progress import shown_progress
from policycliff.cli.saved import fitting, read_saved
from policycliff.errors import InvalidInputError
from policycliff.explore.access import Access
from policycliff.explore.opening import opened_exploration, require_texts
from policycliff.explore.server import listening, server_of
from policycliff.explore.site import site_of
from policycliff.report.elements import tag
from policycliff.rollouts.parts.opened import Work


def run_explore_command(
    saved: Path, tables: list[str], work: Work, *, port: int, open_browser: bool | None, quiet: bool
) -> None:
    """Serve the pages of an audit and its table."""
    with exit_codes(), ExitStack() as stack:
        result = _audit_in(saved)
        listener = stack.enter_context(listening(port))
        access = Access(token_urlsafe(32), listener.getsockname()[1])
        with shown_progress(enabled=not quiet) as progress:
            exploration = stack.enter_context(opened_exploration(result, tables, work, progress))
            with fitting(saved, "audit"):
                site = site_of(exploration, access)
        typer.echo(access.address)
        if not quiet:
            typer.echo("Only you can open this address, on this machine. Ctrl-C ends it.", err=True)
        if _has_display() if open_browser is None else open_browser:
            stack.enter_context(_opened_in_browser(access.address))
        _serve(server_of(listener, site))


def _audit_in(path: Path) -> dict[str, Any]:
    saved = read_saved(path)
    if saved.kind != "audit":
        raise InvalidInputError(
            f"{path} is no audit, so it has no prompts to look through. Give what policycliff audit --json wrote."
        )
    require_texts(saved.result)
    return saved.result


def _serve(server: ThreadingHTTPServer) -> None:
    """Serve until Ctrl-C, which is how one ends it; SIGTERM, a kind of it, is left to the caller."""
    try:
        server.serve_forever()
    except KeyboardInterrupt as stop:
        if type(stop) is not KeyboardInterrupt:
            raise


def _has_display() -> bool:
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def _opened_in_browser(address: str) -> Iterator[None]:
    """Open the address by way of a file that only we can read: command lines, and so the token, are seen by all."""
    with tempfile.TemporaryDirectory(prefix="policycliff-") as folder:
        page = Path(folder) / "open.html"
        link = tag("meta", http_equiv="refresh", content=f"0; url={address}")
        page.write_text(f"<!DOCTYPE html>{link}", encoding="utf-8")
        webbrowser.open(page.as_uri())
        yield
