"""Text from the data, made safe to show: no control character reaches a terminal, no markup reaches a page.

Column names, prompts and completions are untrusted. Control characters (terminal escape sequences begin with one) and
characters that reorder text become visible signs; lone surrogates and NUL, which no UTF-8 file or page can hold, become
the replacement character.
"""

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u206f\ufffe\uffff\ud800-\udfff]"
)
_BREAKABLE = re.compile("[_./: -](?=.)")
_ONE_LINE = 14
_BREAKS = re.compile(r"\r\n?")


def visible(text: str) -> str:
    r"""The text with line breaks and tabs kept and every other control character shown as a sign.

    >>> visible("a\x1b[31mred\r\nb")
    'a␛[31mred\nb'
    """
    return _UNPRINTABLE.sub(_sign, _BREAKS.sub("\n", text))


def one_line(text: str, limit: int | None = None) -> str:
    r"""The text on one line, runs of blanks closed up, cut at `limit` characters.

    >>> one_line("def f(x):\n    return x", 12)
    'def f(x): r…'
    """
    line = " ".join(visible(text).split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def short(name: str, limit: int = 28) -> str:
    """A name on one line, its middle left out where it is too long for a label.

    >>> short("generated_tests_pass_rate_of_the_day", 20)
    'generated…of_the_day'
    """
    line = one_line(name)
    if len(line) <= limit:
        return line
    tail = limit // 2
    return f"{line[: limit - tail - 1]}…{line[-tail:]}"


def plot_label(text: str, limit: int = 28) -> str:
    """A label for Plotly, which reads pseudo-HTML in every text.

    >>> plot_label("<b>score</b>")
    '&lt;b&gt;score&lt;/b&gt;'
    """
    return short(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def in_two(name: str, limit: int = 28) -> list[str]:
    """The shortened name, in two pieces at a sign near its middle where it is long.

    >>> in_two("generated_tests_pass_rate")
    ['generated_', 'tests_pass_rate']
    """
    label = short(name, limit)
    breaks = [match.end() for match in _BREAKABLE.finditer(label)] if len(label) > _ONE_LINE else []
    if not breaks:
        return [label]
    middle = min(breaks, key=lambda end: (abs(2 * end - len(label)), end))
    return [label[:middle], label[middle:]]


def tick_label(text: str, limit: int = 28) -> str:
    """A label for Plotly beside an axis, on two lines where it is long.

    >>> tick_label("generated_tests_pass_rate")
    'generated_<br>tests_pass_rate'
    """
    return "<br>".join(plot_label(piece, limit) for piece in in_two(text, limit))


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0 < code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return "\ufffd"
