"""Values of JSON objects, checked alike by every reader: numbers, texts, objects, and how an error names them.

`where` says which value is meant, file and line first: "run/9.jsonl, line 2: 'score'". The functions that end in `_of`
take a row, a key, and where the row stands.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policycliff.errors import TableError
from policycliff.rollouts.reading.files import open_text

REMEDY = "Write the file again, or name another format with --format."
"""What to do about a value of another type."""
_LARGEST_WHOLE = 2**62
_LARGEST_BESIDE = 50_000_000

Row = dict[str, Any]
Value = str | float | int | None
"""What a column holds."""


def as_number(value: object) -> float | None:
    """A number or a boolean as a float, None for anything else and for what no float holds.

    >>> as_number(3), as_number(True), as_number("3"), as_number(10**400)
    (3.0, 1.0, None, None)
    """
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def number_or_none(value: object, where: str) -> float | None:
    """A value as a number; booleans are 0 and 1.

    Raises:
        TableError: Another type, or a whole number beyond what a float holds.
    """
    number = as_number(value)
    if number is None and isinstance(value, int):
        raise TableError(f"{where} is too large a number. {REMEDY}")
    if number is None and value is not None:
        raise wrong_type(value, "a number", where)
    return number


def number_of(row: Row, key: str, where: str) -> float | None:
    """A number of a row, as `number_or_none`; None where it is absent.

    >>> number_of({"score": True}, "score", "a.jsonl, line 1")
    1.0
    """
    return number_or_none(row.get(key), f"{where}: {key!r}")


def whole(value: object, where: str) -> int:
    """A value as a whole number, for steps and counts.

    Raises:
        TableError: It is not one, or is too large.
    """
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_WHOLE:
        raise wrong_type(value, "a whole number below 2**62", where)
    return value


def whole_of(row: Row, key: str, where: str) -> int:
    """A whole number of a row, as `whole`."""
    return whole(row.get(key), f"{where}: {key!r}")


def identity(value: object, where: str) -> str:
    """A whole number or a text that names something, as text.

    Raises:
        TableError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong_type(value, "a whole number or text", where)
    return str(value)


def text_of(row: Row, key: str, where: str) -> str | None:
    """A text of a row; None where it is null or absent.

    Raises:
        TableError: It is something else.
    """
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value
    raise wrong_type(value, "text", f"{where}: {key!r}")


def object_of(row: Row, key: str, where: str) -> Row:
    """An object of a row, empty where it is null or absent.

    Raises:
        TableError: It is something else.
    """
    value = row.get(key)
    if value is None or isinstance(value, dict):
        return value or {}
    raise wrong_type(value, "an object", f"{where}: {key!r}")


def as_object(value: object) -> Row:
    """A value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_or_empty(value: object) -> str:
    """A value if it is text, else nothing."""
    return valid_text(value) if isinstance(value, str) else ""


def json_text(value: object) -> str:
    """A value as text: text as it is, all else as JSON, equal objects alike.

    >>> json_text("4"), json_text({"b": 1, "a": [True]})
    ('4', '{"a": [true], "b": 1}')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def json_text_or_none(value: object) -> str | None:
    """As `json_text`, null as null."""
    return None if value is None else json_text(value)


def flat(value: Any) -> Value:
    """A value that a column can hold: objects and arrays as JSON.

    >>> flat(3), flat(None), flat([1, 2])
    (3, None, '[1, 2]')
    """
    return json_text(value) if isinstance(value, dict | list) else value


def valid_text(text: str) -> str:
    r"""Text that can be written as UTF-8: half of a surrogate pair, which JSON can escape, stays escaped.

    So texts that differ stay different.

    >>> valid_text("ok"), valid_text("cut \ud83d")
    ('ok', 'cut \\ud83d')
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def wrong_type(value: object, wanted: str, where: str) -> TableError:
    """The error of a value of another type."""
    return TableError(f"{where} must be {wanted}, got {shown(value)}. {REMEDY}")


def shown(value: object) -> str:
    """A value for an error message: its type, and the value where it is short.

    >>> shown("high"), shown([1, 2])
    ("str 'high'", 'list')
    """
    name = type(value).__name__
    if not isinstance(value, str | int | float):
        return name
    try:
        text = f"{name} {value!r}"
    except ValueError:  # Python refuses to print whole numbers of more than 4300 digits.
        return name
    return text if len(text) <= 60 else text[:59] + "…"


def object_beside(path: Path) -> Mapping[str, Any]:
    """What a small JSON file beside the rows says; nothing where it is absent, or no JSON object."""
    try:
        with open_text(path) as file:
            return as_object(json.loads(file.read(_LARGEST_BESIDE)))
    except (OSError, EOFError, ValueError, RecursionError):
        return {}
