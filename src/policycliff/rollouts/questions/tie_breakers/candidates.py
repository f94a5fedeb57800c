"""Candidates for a tie-breaker: what the user names, and its value for every completion.

Regular expressions are Polars' (Rust's `regex`): linear in the text, without backtracking; their length is limited.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from policycliff.errors import InvalidInputError
from policycliff.rollouts.reading.files import first_line
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.reading.option_text import parse_derive, unquoted
from policycliff.rollouts.settings import LARGEST_NUMBER, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

LONGEST_PATTERN = 500
LENGTH = "length"
_FORMS = "length, words, format:REGEX, column:COL, lcpo:ALPHA:TARGET[:LENGTH_COLUMN] or NAME=SQL"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the user named as a candidate.

    Attributes:
        name: What it is called: the text as given, or the name before the equals sign.
        kind: `length`, `words`, `format`, `column` (also of a derived column) or `lcpo`.
        argument: The pattern of `format`, the column of `column`.
        expression: SQL of a derived column; empty otherwise.
        alpha: LCPO's coefficient, which is its weight.
        target: LCPO's target length: a number or a column.
        measured: LCPO's length column; None for characters.
    """

    name: str
    kind: str
    argument: str = ""
    expression: str = ""
    alpha: float | None = None
    target: float | str = 0.0
    measured: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Columns that must be read."""
        named = [self.argument] if self.kind == "column" else []
        named += [self.target] if isinstance(self.target, str) else []
        return (*named, *([] if self.measured is None else [self.measured]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate's value for every row of the table, NaN where it has none; `alpha` is its own weight, if any."""

    name: str
    scores: Float64[np.ndarray, " rows"]
    alpha: float | None = None


def parse_candidate(text: str) -> Recipe:
    """A candidate as the user writes it.

    >>> parse_candidate("brevity=-LENGTH(completion)").expression, parse_candidate("lcpo:0.0003:1000:n_tokens").measured
    ('-LENGTH(completion)', 'n_tokens')

    Raises:
        InvalidInputError: It has none of the known forms.
    """
    name = text.strip()
    head, colon, rest = name.partition(":")
    if name in {LENGTH, "words"}:
        return Recipe(name, name)
    if colon and head == "format":
        return Recipe(name, "format", _pattern(rest))
    if colon and head == "column" and rest.strip():
        return Recipe(unquoted(rest), "column", unquoted(rest))
    if colon and head == "lcpo":
        return _lcpo(name, rest)
    if "=" not in name:
        hint = f" For the column, write column:{name}." if name and not colon else ""
        raise InvalidInputError(f"candidate {text!r}: expected {_FORMS}.{hint}")
    derived, expression = parse_derive(name)
    return Recipe(derived, "column", derived, expression)


def settings_with(recipes: Iterable[Recipe], settings: AuditSettings) -> AuditSettings:
    """The settings that also read the candidates' columns.

    Raises:
        InvalidInputError: Two candidates of one name, or the truth as a candidate: it is not there in training.
    """
    listed = list(recipes)
    names = [recipe.name for recipe in listed]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"candidate {repeated[0]!r} is given twice. Drop one, or give it another name.")
    columns = [name for recipe in listed for name in recipe.columns()]
    if settings.truth in columns:
        raise InvalidInputError(f"{settings.truth!r} is the truth: it is not trained on, so it cannot break ties.")
    derived = tuple((recipe.name, recipe.expression) for recipe in listed if recipe.expression)
    wanted = tuple(dict.fromkeys((*settings.tie_breakers, *columns)))
    return replace(settings, derive=(*settings.derive, *derived), tie_breakers=wanted)


def candidates_of(loaded: LoadedRollouts, recipes: Iterable[Recipe]) -> list[Candidate]:
    """The candidates' values along the rows of the table.

    Raises:
        InvalidInputError: A candidate of the text where the table has none, or a pattern that is none.
    """
    return [Candidate(recipe.name, _scores(loaded.table, recipe), recipe.alpha) for recipe in recipes]


def default_recipes(settings: AuditSettings) -> list[Recipe]:
    """The tie-breakers of the settings; without them, the length of the text in characters and in words."""
    if settings.tie_breakers:
        return [Recipe(name, "column", name) for name in settings.tie_breakers]
    return [Recipe(LENGTH, LENGTH), Recipe("words", "words")]


def _pattern(text: str) -> str:
    if not text or len(text) > LONGEST_PATTERN:
        raise InvalidInputError(f"format: the pattern has {len(text)} characters; it may have 1 to {LONGEST_PATTERN}.")
    try:
        pl.Series([""]).str.contains(text, strict=True)
    except PolarsError as error:
        raise InvalidInputError(f"format: {text!r} is no regular expression: {first_line(error)}.") from error
    return text


def _lcpo(name: str, rest: str) -> Recipe:
    alpha, _, other = rest.partition(":")
    target, _, measured = other.partition(":")
    coefficient = _number(alpha)
    if coefficient is None or not 0.0 < coefficient <= LARGEST_NUMBER or not target.strip():
        raise InvalidInputError(
            f"candidate {name!r}: expected lcpo:ALPHA:TARGET or lcpo:ALPHA:TARGET:LENGTH_COLUMN, where ALPHA is a "
            "positive number (0.0003 in the paper) and TARGET a number or a column."
        )
    number = _number(target)
    wanted = unquoted(target) if number is None else number
    return Recipe(name, "lcpo", alpha=coefficient, target=wanted, measured=unquoted(measured) or None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST_NUMBER else None


def _scores(table: RolloutTable, recipe: Recipe) -> Float64[np.ndarray, " rows"]:
    if recipe.kind == "column":
        return _column(table, recipe.argument)
    if recipe.kind == "lcpo":
        length = _of_text(table, LENGTH, "") if recipe.measured is None else _column(table, recipe.measured)
        target = _column(table, recipe.target) if isinstance(recipe.target, str) else recipe.target
        return np.asarray(-np.abs(target - length))
    return _of_text(table, recipe.kind, recipe.argument)


def _column(table: RolloutTable, name: str) -> Float64[np.ndarray, " rows"]:
    columns = (*table.candidates, *table.rewards, *table.reruns.values())
    return next(column.scores for column in columns if column.name == name)


def _of_text(table: RolloutTable, kind: str, pattern: str) -> Float64[np.ndarray, " rows"]:
    if "__completion" not in table.frame.columns:
        raise InvalidInputError(
            f"candidate {kind!r} is computed from the completions, but no completion column was found. Name it with "
            "--completion, or a numeric column with --candidate column:COL."
        )
    text = table.frame["__completion"]
    if kind == LENGTH:
        values = text.str.len_chars()
    elif kind == "words":
        values = text.str.count_matches(r"\S+")
    else:
        values = text.str.contains(pattern, strict=True)
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
