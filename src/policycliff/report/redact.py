"""An audit without the texts of its data, to be passed on: figures, row numbers, counts and column names stay.

What may stay is said key by key in `schema/audit.txt`; every other text becomes `[redacted]`, and what the description
does not know is left out. So a text that nobody thought of goes, too.
"""

import re
from collections.abc import Mapping
from typing import Any

from policycliff.report.schema.description import ELEMENT, Field, described

MARK = "[redacted]"

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_REASONS = re.compile(
    r"no group: the column that names the group is empty"
    r"|left over after blocks of \d+ rows"
    r"|no usable score in any (reward column|of its rows)"
    r"|not drawn into the sample"
    r"|empty completion text \(kept\)"
)
"""Reasons that hold nothing of the data; the readers of some formats name agents and errors."""


def redacted(result: Mapping[str, Any]) -> dict[str, Any]:
    """The audit with every text that is not known to be policycliff's own, or a column's name, replaced by a mark.

    Findings are worded again from the redacted figures, so that they can hold nothing else.

    Args:
        result: What `Audit.to_dict` gives, or a saved one that has been checked.
    """
    kept: dict[str, Any] = _redacted(result, described("audit"))
    worded = _worded(kept)
    for finding in kept["verdict"]:
        finding["text"] = worded.get(_key(finding), MARK)
    return kept


def _redacted(value: Any, field: Field) -> Any:
    if isinstance(value, Mapping):
        known = ((key, item, field.child(key)) for key, item in value.items())
        return {key: _redacted(item, child) for key, item, child in known if child is not None}
    if isinstance(value, list):
        inner = field.children.get(ELEMENT)
        return [] if inner is None else [_redacted(item, inner) for item in value]
    return value if not isinstance(value, str) or _may_stay(value, field.text) else MARK


def _may_stay(text: str, what: str) -> bool:
    if what == "step":
        return _NUMBER.fullmatch(text) is not None
    if what == "reason":
        return _REASONS.fullmatch(text) is not None
    return what == "ours" or not text


def _worded(result: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The findings' sentences, from these figures."""
    from policycliff.rollouts.analyses.verdict import verdict  # noqa: PLC0415 - only where findings are worded

    return {_key(finding): finding["text"] for finding in verdict(result)}


def _key(finding: Mapping[str, Any]) -> tuple[str, str]:
    return finding["statement"], finding["figure"]["key"]
