"""What an address asks for, and addresses that ask: parsed once, refused where it cannot be right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from policycliff.explore.index import ORDERS, SHOWN
from policycliff.rollouts.settings import LARGEST_NUMBER

SIZE, LARGEST_SIZE = 25, 200
_MOST_FIELDS = 200
_LONGEST_NUMBER = 12
_LONGEST_SEARCH = 1000


class RefusedError(Exception):
    """A request that has no page: a status of HTTP and why, in plain words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Query:
    """A list of prompts, and a page of it.

    Attributes:
        show: Which prompts: a key of `SHOWN`.
        order: Their order: a key of `ORDERS`.
        reverse: The other way round.
        search: What their text or name holds; empty for anything.
        size: Prompts a page.
        page: Which page, from 1.
    """

    show: str = "all"
    order: str = "table"
    reverse: bool = False
    search: str = ""
    size: int = SIZE
    page: int = 1

    def fields(self) -> dict[str, str]:
        """What an address says of it; what is as usual is left out."""
        order = f"-{self.order}" if self.reverse else self.order
        said = {"show": self.show, "order": order, "search": self.search, "size": self.size, "page": self.page}
        usual = {"show": "all", "order": "table", "search": "", "size": SIZE, "page": 1}
        return {name: str(value) for name, value in said.items() if value != usual[name]}

    def link(self, path: str = "/prompts", **more: Any) -> str:
        """The address of this list, or of something found in it; `more` are other fields."""
        said = self.fields() | more
        return f"{path}?{urlencode(said, errors='replace')}" if said else path


def fields_of(text: str) -> dict[str, str]:
    """The fields of a query string, the last of each name.

    Raises:
        RefusedError: Too many, or not UTF-8.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise RefusedError(400, "The address cannot be read: too many fields, or not UTF-8.") from None
    return dict(pairs)


def query_of(fields: Mapping[str, str]) -> Query:
    """The list that an address asks for; fields of other names are left to others.

    Raises:
        RefusedError: A value that cannot be right.
    """
    order = fields.get("order", "table")
    search = fields.get("search", "").strip()
    if len(search) > _LONGEST_SEARCH:
        raise RefusedError(400, f"A search has at most {_LONGEST_SEARCH} characters.")
    return Query(
        show=_choice("show", fields.get("show", "all"), SHOWN),
        order=_choice("order", order.removeprefix("-"), ORDERS),
        reverse=order.startswith("-"),
        search=search,
        size=whole_number("size", fields.get("size"), usual=SIZE, most=LARGEST_SIZE),
        page=whole_number("page", fields.get("page"), usual=1),
    )


def whole_number(name: str, text: str | None, *, usual: int, most: int | None = None) -> int:
    """A whole number from 1.

    Raises:
        RefusedError: It is not one, or larger than `most`.
    """
    if text is None:
        return usual
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
    if value < 1 or (most is not None and value > most):
        limit = "" if most is None else f" to {most}"
        raise RefusedError(400, f"{name} must be a whole number from 1{limit}.")
    return value


def weights_of(fields: Mapping[str, str], usual: Mapping[str, float]) -> dict[str, float]:
    """The weights that an address asks for: `w1`, `w2`, ... in the order of the rewards.

    Raises:
        RefusedError: One is no number, or all are 0.
    """
    found = {name: _number(fields.get(f"w{place}"), usual[name]) for place, name in enumerate(usual, start=1)}
    if all(weight == 0.0 for weight in found.values()):
        raise RefusedError(400, "Every weight is 0, so there is no reward. Give one a weight.")
    return found


def page_of(items: int, page: int, size: int) -> tuple[slice, int]:
    """Where the items of a page are, and how many pages there are: at least one.

    >>> page_of(60, 3, 25)
    (slice(50, 75, None), 3)

    Raises:
        RefusedError: There are fewer pages.
    """
    pages = max(math.ceil(items / size), 1)
    if page > pages:
        raise RefusedError(404, f"There is no page {page}: the last one is {pages}.")
    return slice((page - 1) * size, page * size), pages


def _number(text: str | None, usual: float) -> float:
    if text is None or not text.strip():
        return usual
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_NUMBER:
        raise RefusedError(400, f"A weight must be a finite number up to {LARGEST_NUMBER:g}.")
    return value


def _choice(name: str, value: str, choices: Mapping[str, Any]) -> str:
    if value not in choices:
        raise RefusedError(400, f"{name} must be one of {', '.join(choices)}.")
    return value
