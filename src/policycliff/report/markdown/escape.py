"""Text that stays text in GitHub's Markdown: no markup, no link, nobody mentioned, no issue or commit referred to.

Signs of Markdown and HTML become entities, which no parser takes for structure. What GitHub links after it has rendered
the page (@name, #12, GH-12, addresses, commits, :emoji:) is parted by a zero-width space, as bots of GitHub do it.
"""

import re

from policycliff.report.text import one_line

_GAP = "&#8203;"
_SPECIAL = re.compile(
    r"""(?P<sign>[&<>\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[#+=-])
    |(?P<number>^\d(?=\d*[.)](?:\s|$)))
    |(?P<dollar>\$)
    |(?P<before_gap>@|\#(?=\d)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)|:(?=[\w+-]+:))
    |(?P<commit>\b(?=\d*[a-f])[0-9a-f]{7,40}\b)""",
    re.VERBOSE | re.IGNORECASE,
)
_SHORT = re.compile(".{1,6}")  # of a commit GitHub asks for seven


def escaped(text: str, limit: int | None = None) -> str:
    r"""Text on one line, as Markdown that shows just this text; cut at `limit` characters.

    >>> print(escaped("<b> | `x` for @you, see #12 and pass_rate"))
    &lt;b&gt; &#124; &#96;x&#96; for @&#8203;you, see #&#8203;12 and pass_rate
    """
    return _SPECIAL.sub(_replaced, one_line(text, limit))


def code(text: str, limit: int | None = None) -> str:
    """Text as a name: in the type of code.

    >>> print(code("pass_rate"))
    <code>pass_rate</code>
    """
    return f"<code>{escaped(text, limit)}</code>"


def _replaced(match: re.Match[str]) -> str:
    found = match.group()
    if match["sign"] or match["number"]:  # a line may begin with these
        return _NAMED.get(found) or f"&#{ord(found)};"
    if match["dollar"]:
        return "<span>$</span>"  # GitHub's own way to say that it begins no formula
    return f"{found}{_GAP}" if match["before_gap"] else _GAP.join(_SHORT.findall(found))


_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
