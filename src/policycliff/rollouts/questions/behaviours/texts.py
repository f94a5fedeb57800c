"""The distinct completions of each prompt: what is compared."""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.rollouts.questions.behaviours.walk import Walk
from policycliff.rollouts.table import RolloutTable, ScoreColumn
from policycliff.shapes import Int64


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct completions, numbered prompt by prompt in the order of their first row.

    Attributes:
        offsets: (prompts + 1,) first text of each prompt.
        first_row: (texts,) the first row of each.
        of_row: (rows,) number of the row's text.
    """

    offsets: Int64[np.ndarray, " prompts_plus_1"]
    first_row: Int64[np.ndarray, " texts"]
    of_row: Int64[np.ndarray, " rows"]


def distinct_texts(table: RolloutTable) -> Texts:
    """The distinct completions of a table; without a completion column every row is one of its own."""
    if table.text is None:
        rows = np.arange(table.n_rows)
        return Texts(table.offsets, rows, rows)
    _, first, inverse = np.unique(table.text, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    # Rows stand prompt by prompt, so first rows in order are prompt by prompt too.
    return Texts(np.searchsorted(first[order], table.offsets), first[order], number[inverse])


def along_walk(
    table: RolloutTable, texts: Texts, found: Walk
) -> tuple[RolloutTable, Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
    """The table with its rows in the order of the walk, the place of each row's text, and the rows' former numbers.

    In this order the behaviours of every threshold are stretches of rows.
    """
    place_of_text = np.empty(len(found.order), dtype=np.int64)
    place_of_text[found.order] = np.arange(len(found.order))
    place = place_of_text[texts.of_row]
    rows = np.argsort(place, kind="stable")
    moved = replace(
        table,
        row_index=table.row_index[rows],
        behaviour=place[rows],
        text=None if table.text is None else table.text[rows],
        rewards=tuple(_moved(column, rows) for column in table.rewards),
        truth=None if table.truth is None else _moved(table.truth, rows),
        reruns={name: _moved(column, rows) for name, column in table.reruns.items()},
        candidates=tuple(_moved(column, rows) for column in table.candidates),
        source=None if table.source is None else table.source[rows],
        frame=table.frame[rows],
    )
    return moved, place[rows], rows


def _moved(column: ScoreColumn, rows: Int64[np.ndarray, " rows"]) -> ScoreColumn:
    return replace(column, scores=column.scores[rows])
