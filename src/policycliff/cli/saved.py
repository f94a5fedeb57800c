"""Reads a result that was saved with `--json`, and refuses what cannot be shown, in one line that says what to do."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from policycliff.cli.outputs import STDOUT
from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.report.schema.check import first_fault, kind_of, version_of
from policycliff.report.schema.description import Name

_COMMANDS: dict[Name, str] = {
    "audit": "policycliff audit",
    "answer": "the command that asked",
    "mdp": "policycliff mdp analyze",
    "theorems": "policycliff theorems",
}
_NO_JSON = ((b"PAR1", "a Parquet file"), (b"<", "a page"), (b"\x1f\x8b", "a compressed file"))
_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Saved(NamedTuple):
    """A result that can be shown, and its kind."""

    kind: Name
    result: dict[str, Any]


def read_saved(path: Path) -> Saved:
    """A saved result; `-` is the standard input.

    Raises:
        SourceNotFoundError: There is no such file.
        InvalidInputError: It is no result, not whole, of another version, or was changed in a way that cannot be right.
    """
    tree = _parsed(_content(path), path)
    kind = kind_of(tree)
    if kind is None:
        raise InvalidInputError(
            f"{path} is JSON, but not what policycliff writes: expected an audit (policycliff audit TABLE --json OUT), "
            "the answer to a question, or what `mdp analyze` or `theorems` write with --json."
        )
    _require_version(tree, kind, path)
    with fitting(path, kind):
        fault = first_fault(tree, kind)
    if fault is not None:
        raise InvalidInputError(f"{path}: {fault}. Was it edited by hand? {_write_again(kind)}")
    return Saved(kind, tree)


@contextmanager
def fitting(path: Path, kind: Name) -> Iterator[None]:
    """Turn what fails on parts that do not fit each other into one line; each part by itself has been checked.

    Raises:
        InvalidInputError: Names the file.
    """
    try:
        yield
    except _MISFITS as error:
        if isinstance(error, InvalidInputError):
            raise
        told = f"{type(error).__name__}: {error}"
        raise InvalidInputError(
            f"{path}: parts of it do not fit each other ({told}). Was it edited by hand? {_write_again(kind)}"
        ) from error


def _content(path: Path) -> bytes:
    if path == STDOUT:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SourceNotFoundError(f"{path} does not exist. Give a file that --json wrote.") from None
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}. Give a file that --json wrote.") from error


def _parsed(content: bytes, path: Path) -> Any:
    for start, what in _NO_JSON:
        if content.startswith(start):
            raise InvalidInputError(f"{path} is {what}, not a saved result. Give a file that --json wrote.")
    try:
        text = content.decode(json.detect_encoding(content))
        if not text.strip():
            raise InvalidInputError(f"{path} is empty. Give a file that --json wrote.")
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{path} {_broken(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is not text, so not JSON. Give a file that --json wrote.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{path} is no JSON that --json wrote: {error}.") from error


def _broken(error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"ends before its JSON does ({where}): it was cut short. Copy or write it again."
    if error.msg == "Extra data":
        return f"holds more than one JSON value ({where}); is it a table? Give a file that --json wrote."
    return f"is not JSON ({where}: {error.msg}). Give a file that --json wrote."


def _require_version(tree: dict[str, Any], kind: Name, path: Path) -> None:
    """Refuse another version of the layout; one that is no number is a fault like others.

    Raises:
        InvalidInputError: Says which versions, and what to do.
    """
    found, known = version_of(tree, kind)
    if known is None or not isinstance(found, int) or found == known:
        return
    age, remedy = "an older", _write_again(kind)
    if found > known:
        age, remedy = "a newer", "Upgrade policycliff to read it."
    raise InvalidInputError(
        f"{path} was written by {age} policycliff: its schema_version is {found}, this one reads {known}. {remedy}"
    )


def _write_again(kind: Name) -> str:
    return f"Write it again: {_COMMANDS[kind]} ... --json OUT."
