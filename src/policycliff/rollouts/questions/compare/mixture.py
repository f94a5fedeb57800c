"""A reward as the user writes it: a column, or a weighted sum of columns such as `0.8*rm + 0.2*format`.

    mixture = ["+" | "-"] term { ("+" | "-") term }
    term    = [decimal "*"] name | name "*" decimal
    name    = letters, digits and _ . / : - (not first a digit or a hyphen), or anything in double quotes

A hyphen within a bare name belongs to the name; a minus stands apart from the name before it.
"""

import re
from collections.abc import Mapping
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.rollouts.settings import LARGEST_NUMBER

Mixture = tuple[tuple[str, float], ...]

_TOKEN = re.compile(
    r"""\s*(?: (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?) (?![\w.])
             | "(?P<quoted>[^"]+)"
             | (?P<bare>[^\W\d][\w./:-]*)
             | (?P<sign>[-+*]) )""",
    re.VERBOSE,
)


def mixture_of(reward: str | Mapping[str, Any]) -> Mixture:
    """Columns with their weights.

    >>> mixture_of("0.8*rm - length*0.001")
    (('rm', 0.8), ('length', -0.001))
    >>> mixture_of({"my score": 2})
    (('my score', 2.0),)

    Raises:
        InvalidInputError: The text does not follow the grammar; says where. Or a column comes twice, or a weight is 0.
    """
    if isinstance(reward, str):
        return _checked(_parse(reward), reward)
    if not reward:
        raise InvalidInputError("a reward needs a column; got an empty dictionary.")
    try:
        terms = [(str(name), float(weight)) for name, weight in reward.items()]
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError(f"reward {reward!r}: every weight must be a number.") from None
    return _checked(terms, repr(reward))


def written(mixture: Mixture) -> str:
    """The mixture as it can be read again.

    >>> written((("rm", 0.8), ("my score", -1.0))), written((("rm", 1.0),))
    ('0.8*rm - "my score"', 'rm')
    """
    text = ""
    for name, weight in mixture:
        sign = "-" if weight < 0 else "+"
        factor = "" if abs(weight) == 1.0 else f"{abs(weight):.15g}*"
        bare = _TOKEN.fullmatch(name)
        shown = name if bare is not None and bare.lastgroup == "bare" else f'"{name}"'
        text += f" {sign} {factor}{shown}" if text else f"{'-' if weight < 0 else ''}{factor}{shown}"
    return text


def _parse(text: str) -> list[tuple[str, float]]:
    tokens, position = _tokens(text), 0
    terms: list[tuple[str, float]] = []
    while position < len(tokens) or not terms:
        sign = 1.0
        if position < len(tokens) and tokens[position][:2] in {("sign", "+"), ("sign", "-")}:
            sign = -1.0 if tokens[position][1] == "-" else 1.0
            position += 1
        elif terms:
            raise _wrong(text, tokens[position][2], "expected + or -")
        name, weight, position = _term(text, tokens, position)
        terms.append((name, sign * weight))
    return terms


def _term(text: str, tokens: list[tuple[str, str, int]], position: int) -> tuple[str, float, int]:
    """Name, weight and the position after the term."""
    kinds = [kind if kind != "sign" else value for kind, value, _ in tokens[position : position + 3]]
    values = [value for _, value, _ in tokens[position : position + 3]]
    if kinds == ["number", "*", "name"]:
        return values[2], float(values[0]), position + 3
    if kinds == ["name", "*", "number"]:
        return values[0], float(values[2]), position + 3
    if kinds[:1] == ["name"] and kinds[1:2] != ["*"]:
        return values[0], 1.0, position + 1
    place = tokens[position][2] if position < len(tokens) else len(text)
    raise _wrong(text, place, "expected NAME or NUMBER*NAME")


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, value and place of each token."""
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise _wrong(text, place, "this cannot be read")
        kind = "name" if match.lastgroup in {"bare", "quoted"} else match.lastgroup
        found.append((kind, match.group(match.lastgroup), match.start(match.lastgroup)))
        place = match.end()
    return found


def _wrong(text: str, place: int, expected: str) -> InvalidInputError:
    return InvalidInputError(
        f"reward {text!r}: {expected} at character {place + 1}. Write a column, or a mixture such as '0.8*rm + "
        "0.2*format'; put names with spaces or signs in double quotes."
    )


def _checked(terms: list[tuple[str, float]], text: str) -> Mixture:
    names = [name for name, _ in terms]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"reward {text!r} has the column {repeated[0]!r} twice; add its weights up.")
    for name, weight in terms:
        if not 0.0 < abs(weight) <= LARGEST_NUMBER:
            raise InvalidInputError(
                f"reward {text!r}: the weight of {name!r} must be a number other than 0, up to {LARGEST_NUMBER:g}."
            )
    return tuple(terms)
