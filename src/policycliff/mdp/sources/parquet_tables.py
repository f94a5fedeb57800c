"""The `momdp_*` tables: `transitions.parquet:NAME`, with the table of states beside it.

Transitions: `mdp, state, action, next_state, probability, reward_0, ...` (null beyond the MDP's components); states:
`mdp, state, label, initial_probability, terminal, reward_names`. Terminal states have no rows. Labels may be missing; a
state is then called by its number.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from polars.exceptions import PolarsError

from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.mdp.sources.lines import file_fail
from policycliff.mdp.sources.source import MDPSource, PairTable, make_source
from policycliff.mdp.sources.toy_text import expected

_TRANSITIONS = ("mdp", "state", "action", "next_state", "probability")
_STATES = ("mdp", "state", "label", "initial_probability", "terminal", "reward_names")
_WHOLE, _TEXT = {"state", "next_state"}, {"mdp", "reward_names"}


def read_parquet_mdp(path: Path, name: str | None, *, gamma: float | None) -> MDPSource:
    """One MDP of the tables.

    Args:
        path: the table of transitions.
        name: which MDP; None where there is only one.
        gamma: discount; None for the default.

    Raises:
        SourceNotFoundError: a table is missing.
        InvalidInputError: columns are missing, no such MDP, a state twice or unknown.
    """
    beside = path.with_name(path.name.replace("transitions", "states"))
    rows = _read(path, _TRANSITIONS)
    if beside == path or not beside.is_file():
        raise SourceNotFoundError(
            f"Got {path.name} without the table of states; expected {path.name.replace('transitions', 'states')} "
            "beside it. Put both in one folder."
        )
    states = _read(beside, _STATES)
    chosen = _chosen(path, rows, name)
    rows = rows.filter(pl.col("mdp") == chosen)
    states = states.filter(pl.col("mdp") == chosen).sort("state")
    if states.is_empty():
        raise file_fail(beside, got=f"no states of {chosen}", expected="its states", remedy="Add them.")
    if states["state"].to_list() != list(range(states.height)):
        raise file_fail(
            beside,
            got=f"states of {chosen} that are not 0, 1, ... once each",
            expected="each once",
            remedy="Correct it.",
        )
    _check_rows(path, rows, states)
    names = _reward_names(beside, states)
    try:
        return _source(path, chosen, rows, states, names=names, gamma=gamma)
    except InvalidInputError as error:
        raise error if str(error).startswith(path.name) else InvalidInputError(f"{path.name}: {error}") from error


def _read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    if not path.is_file():
        raise SourceNotFoundError(f"Got {str(path)!r}; expected a file that exists. Check the path.")
    try:
        table = pl.read_parquet(path)
    except (PolarsError, OSError) as error:
        raise file_fail(path, got=f"no Parquet file ({error})", expected="one", remedy="Write it again.") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise file_fail(path, got=f"no column {missing[0]!r}", expected=f"the columns {columns}", remedy="Add it.")
    _check_types(path, table)
    for column in columns:
        empty = table[column].is_null()
        if column != "label" and empty.any():
            raise file_fail(
                path,
                got=f"an empty cell in `{column}`, row {empty.arg_max()}",
                expected="every column filled (only `label` may be empty)",
                remedy="Complete the table.",
            )
    # Small types overflow in sums and products; what does not fit is no state either.
    whole = [pl.col(column) for column in columns if column in _WHOLE]
    return table.with_columns(column.cast(pl.Int64, strict=False).fill_null(-1) for column in whole)


def _check_types(path: Path, table: pl.DataFrame) -> None:
    """Raise on a column of another type: whole numbers for states, numbers for probabilities and rewards, names."""
    for column, kind in table.schema.items():
        called, fits = _expected_type(column, kind)
        if not fits:
            raise file_fail(path, got=f"`{column}` of type {kind}", expected=called, remedy="Convert the column.")


def _expected_type(column: str, kind: Any) -> tuple[str, bool]:
    """What a column holds, and whether this type does; rewards beyond the MDP's components may all be empty."""
    if column in _WHOLE:
        return "whole numbers", kind.is_integer()
    if column in _TEXT:
        return "text", kind in {pl.String, pl.Categorical, pl.Enum}
    if column == "terminal":
        return "true or false", kind == pl.Boolean
    if column in {"probability", "initial_probability"} or column.startswith("reward_"):
        return "numbers", kind.is_numeric() or kind == pl.Null
    return "anything", True


def _chosen(path: Path, rows: pl.DataFrame, name: str | None) -> str:
    names = sorted(rows["mdp"].cast(pl.String).unique().to_list())
    if not names:
        raise file_fail(path, got="no rows", expected="transitions", remedy="Write it again; it may end early.")
    if name is None and len(names) == 1:
        return str(names[0])
    if name not in names:
        got = "no name of an MDP" if name is None else f"the MDP {name!r}"
        raise file_fail(path, got=got, expected=f"one of {names}", remedy=f"Write {path.name}:{names[0]}.")
    return str(name)


def _check_rows(path: Path, rows: pl.DataFrame, states: pl.DataFrame) -> None:
    """Raise on rows of terminal or unknown states."""
    outside = rows.filter(
        ~pl.col("state").is_in(range(states.height)) | ~pl.col("next_state").is_in(range(states.height))
    )
    if outside.height:
        raise file_fail(path, got=f"the row {outside.row(0)[:4]}", expected="known states", remedy="Correct it.")
    ends = states.filter(pl.col("terminal"))["state"].implode()
    stuck = rows.filter(pl.col("state").is_in(ends))
    if stuck.height:
        raise file_fail(
            path,
            got=f"a row of terminal state {stuck['state'][0]}",
            expected="none: terminal states are absorbing with reward 0",
            remedy="Take it out.",
        )


def _reward_names(path: Path, states: pl.DataFrame) -> list[str]:
    """The names of the rewards, the same in all rows of the MDP."""
    given = states["reward_names"].cast(pl.String).unique(maintain_order=True).to_list()
    names = given[0].split(",")
    if len(given) > 1 or not all(names) or len(set(names)) < len(names):
        raise file_fail(
            path,
            got=f"`reward_names` {' and '.join(map(repr, given[:2]))}",
            expected="the same distinct names in all rows of the MDP, with commas between",
            remedy="Correct them.",
        )
    return names


def _source(
    path: Path, name: str, rows: pl.DataFrame, states: pl.DataFrame, *, names: list[str], gamma: float | None
) -> MDPSource:
    """The arrays behind the rows of one MDP."""
    actions: list[Any] = rows["action"].unique(maintain_order=True).to_list()
    label = rows["action"].replace_strict(actions, range(len(actions))).cast(pl.Int64).to_numpy()
    keys = rows["state"].to_numpy() * len(actions) + label
    pairs, index = np.unique(keys, return_inverse=True)
    index = index.reshape(-1)
    shares = rows["probability"].cast(pl.Float64).to_numpy()
    columns = [f"reward_{k}" for k in range(len(names))]
    missing = [column for column in columns if column not in rows.columns or rows[column].null_count() > 0]
    if missing:
        raise file_fail(
            path, got=f"no complete column {missing[0]!r}", expected=f"{len(names)} rewards", remedy="Add it."
        )
    table = PairTable(
        states=pairs // len(actions),
        actions=pairs % len(actions),
        kernel=sp.csr_array(
            sp.coo_array((shares, (index, rows["next_state"].to_numpy())), shape=(pairs.size, states.height))
        ),
        rewards=expected(rows.select(columns).to_numpy().astype(np.float64), shares, index, pairs.size),
        terminal=states["terminal"].to_numpy(),
        initial=states["initial_probability"].cast(pl.Float64).to_numpy(),
        state_names=_names(states),
        action_names=[str(action) for action in actions],
    )
    return make_source(f"{path.name}:{name}", table, reward_names=names, gamma=gamma)


def _names(states: pl.DataFrame) -> list[str]:
    """Labels, or numbers without one; a final state with the label of another: "... end"; else its number behind it."""
    numbers = states["state"].cast(pl.String)
    labels = states["label"].cast(pl.String).fill_null(numbers).to_list()
    result: list[str] = []
    for state, (label, terminal) in enumerate(zip(labels, states["terminal"], strict=True)):
        name = f"{label} end" if terminal and labels.count(label) > 1 else str(label)
        result.append(name if name not in result else f"{name} #{state}")
    return result
