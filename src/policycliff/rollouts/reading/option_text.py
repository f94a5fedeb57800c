"""Options that pair a column with something, written as text: `NAME=WEIGHT`, `NAME='SQL'`, `REWARD=COLUMN`.

One rule for all of them. A column name that holds an equals sign is written in double quotes: `"my=column"=0.5`. An
equals sign inside double quotes never separates. Outside of them the last one separates a name from a number, and the
first one a name from an SQL expression (which may hold more of them).
"""

import re
from typing import Literal

from policycliff.errors import InvalidInputError

_PIECES = re.compile(r'"[^"]*"|=|[^="]+|"')
Noise = tuple[tuple[str, float], ...] | Literal["auto"] | None


def parse_reward(text: str) -> tuple[str, float]:
    """A reward column and its weight, 1 where none is given.

    >>> parse_reward("accuracy=0.5"), parse_reward("accuracy"), parse_reward('"a=b"=-2')
    (('accuracy', 0.5), ('accuracy', 1.0), ('a=b', -2.0))

    Raises:
        InvalidInputError: The weight is no finite number, or there is no name.
    """
    equals = _separators(text)
    if not equals:
        return _name(text, text), 1.0
    return parse_number_of(text, "reward", "weight")


def parse_number_of(text: str, option: str, quantity: str) -> tuple[str, float]:
    """A column and a number: `NAME=VALUE`.

    >>> parse_number_of("judge = 10", "max_reward", "value")
    ('judge', 10.0)

    Raises:
        InvalidInputError: No equals sign, no name, or no finite number.
    """
    equals = _separators(text)
    if not equals:
        raise InvalidInputError(f"{option} {text!r}: expected NAME=NUMBER.")
    name, value = text[: equals[-1]], text[equals[-1] + 1 :]
    number = _number(value)
    if number is None:
        raise InvalidInputError(
            f"{option} {text!r}: the {quantity} must be a finite number, got {value.strip()!r}. If the equals sign "
            f"belongs to the column's name, quote the name inside the option: '\"{text}\"'."
        )
    return _name(name, text), number


def parse_derive(text: str) -> tuple[str, str]:
    """A new column and its SQL expression: `NAME=SQL`.

    >>> parse_derive("right=CASE WHEN answer = gold THEN 1 ELSE 0 END")
    ('right', 'CASE WHEN answer = gold THEN 1 ELSE 0 END')

    Raises:
        InvalidInputError: No equals sign, no name, or no expression.
    """
    equals = _separators(text)
    if not equals or not text[equals[0] + 1 :].strip():
        raise InvalidInputError(f"derive {text!r}: expected NAME=SQL, such as 'brevity=-LENGTH(completion)'.")
    return _name(text[: equals[0]], text), text[equals[0] + 1 :].strip()


def parse_rerun(text: str) -> tuple[str, str]:
    """A reward and the column of its second scores: `REWARD=COLUMN`.

    >>> parse_rerun('judge="judge score = again"')
    ('judge', 'judge score = again')

    Raises:
        InvalidInputError: Not exactly one equals sign outside quotes, or an empty name.
    """
    equals = _separators(text)
    if len(equals) != 1:
        raise InvalidInputError(f"rerun {text!r}: expected REWARD=COLUMN; quote names that hold an equals sign.")
    return _name(text[: equals[0]], text), _name(text[equals[0] + 1 :], text)


def parse_noise(texts: list[str]) -> Noise:
    """The noise of the scores: `auto`, `none`, one number for all rewards, or `NAME=SIGMA` for each.

    >>> parse_noise(["0.1"]), parse_noise(["judge=0.5"]), parse_noise(["none"])
    ((('*', 0.1),), (('judge', 0.5),), None)

    Raises:
        InvalidInputError: `auto` or `none` beside another value, or something that is neither.
    """
    words = [text.strip().lower() for text in texts]
    if len(texts) == 1 and words[0] in ("auto", "none"):
        return "auto" if words[0] == "auto" else None
    if any(word in ("auto", "none") for word in words):
        raise InvalidInputError("noise: 'auto' and 'none' stand alone; give either one of them or numbers.")
    pairs = []
    for text in texts:
        number = _number(text)
        if number is None and not _separators(text):
            raise InvalidInputError(f"noise {text!r}: expected a number, NAME=NUMBER, auto or none.")
        pairs.append(parse_number_of(text, "noise", "standard deviation") if number is None else ("*", number))
    return tuple(pairs)


def unquoted(text: str) -> str:
    """A name without the double quotes around it, if it has any.

    >>> unquoted('"my column"'), unquoted("plain")
    ('my column', 'plain')
    """
    stripped = text.strip()
    quoted = len(stripped) >= 2 and stripped[0] == stripped[-1] == '"'
    return stripped[1:-1] if quoted else stripped


def _separators(text: str) -> list[int]:
    """Positions of the equals signs outside quotes."""
    return [match.start() for match in _PIECES.finditer(text) if match.group() == "="]


def _name(text: str, whole: str) -> str:
    name = unquoted(text)
    if not name:
        raise InvalidInputError(f"option {whole!r} names no column.")
    return name


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
