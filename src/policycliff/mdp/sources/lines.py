"""Lines of a text file with their numbers, so that an error can name file and line."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path

from policycliff.errors import InvalidInputError, SourceNotFoundError

# More digits than any number of states has; Python refuses to read some thousands.
MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file."""

    file: str
    number: int
    text: str

    def fail(self, *, got: str, expected: str, remedy: str) -> InvalidInputError:
        """The error that names the file and the line."""
        return InvalidInputError(f"{self.file}, line {self.number}: Got {got}; expected {expected}. {remedy}")

    def whole(self, word: str, what: str, *, below: int | None = None) -> int:
        """A number from 0 on, below a limit where one is known."""
        limit = "" if below is None else f" to {below - 1}"
        if not word.isdecimal() or len(word) > MAX_DIGITS or (below is not None and int(word) >= below):
            raise self.fail(got=f"{what} {word[:40]!r}", expected=f"a number from 0{limit}", remedy="Correct it.")
        return int(word)

    def number_of(self, word: str, what: str) -> float:
        """A finite number, as a decimal or a fraction; an interval or a parameter is refused."""
        if word.startswith("["):
            raise self.fail(
                got=f"the interval {word!r} as {what}",
                expected="a number (interval models are not MDPs with one kernel)",
                remedy="Choose one probability in each interval.",
            )
        try:
            value = float(Fraction(word)) if "/" in word else float(word)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise self.fail(
                got=f"{what} {word!r}",
                expected="a number (a parametric model is not one MDP)",
                remedy="Give the parameters values, or correct it.",
            ) from error
        if not isfinite(value):
            raise self.fail(got=f"{what} {word!r}", expected="a finite number", remedy="Correct it.")
        return value

    def probability(self, word: str) -> float:
        """A number in (0, 1], up to rounding."""
        value = self.number_of(word, "the probability")
        if not 0.0 < value <= 1.0 + 1e-9:
            raise self.fail(got=f"the probability {word!r}", expected="one above 0 and at most 1", remedy="Correct it.")
        return value


def read_lines(path: Path, *, ended: bool = False) -> Iterator[Line]:
    """The lines that are not empty, stripped.

    Args:
        path: the file.
        ended: whether the last line has to end in a line break: in formats without an end mark a number that is cut
            off reads as another number.

    Raises:
        SourceNotFoundError: there is no such file.
        InvalidInputError: it is not text in UTF-8, or its last line is not ended.
    """
    if not path.is_file():
        raise SourceNotFoundError(f"Got {str(path)!r}; expected a file that exists. Check the path.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path.name}: not text in UTF-8 ({error}). Save it again.") from error
    lines = text.splitlines()
    if ended and text and text.splitlines(keepends=True)[-1] == lines[-1]:
        raise Line(path.name, len(lines), "").fail(
            got=f"a last line without a line break, {lines[-1][-40:]!r}",
            expected="one at the end of each line; the file may end early",
            remedy="Export it again, or add the line break if the file is whole.",
        )
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield Line(path.name, number, line.strip())


def file_fail(path: Path, *, got: str, expected: str, remedy: str) -> InvalidInputError:
    """An error about a file as a whole."""
    return InvalidInputError(f"{path.name}: Got {got}; expected {expected}. {remedy}")
