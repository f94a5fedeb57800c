"""The `momdp_*` tables: `transitions.parquet:NAME`, with the table of states beside it.

Transitions: `mdp, state, action, next_state, probability, reward_0, ...` (null beyond the MDP's components); states:
`mdp, state, label, initial_probability, terminal, reward_names`. Terminal states have no rows.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from polars.exceptions import PolarsError

from policycliff.errors import SourceNotFoundError
from policycliff.mdp.messages import fail
from policycliff.mdp.sources.lines import file_fail
from policycliff.mdp.sources.source import MDPSource, PairTable, make_source
from policycliff.mdp.sources.toy_text import expected

_TRANSITIONS = ("mdp", "state", "action", "next_state", "probability")
_STATES = ("mdp", "state", "label", "initial_probability", "terminal", "reward_names")


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
    if states["state"].to_list() != list(range(states.height)):
        raise file_fail(
            beside,
            got=f"states of {chosen} that are not 0, 1, ... once each",
            expected="each once",
            remedy="Correct it.",
        )
    _check_rows(path, rows, states)
    return _source(path, chosen, rows, states, gamma)


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
    return table


def _check_types(path: Path, table: pl.DataFrame) -> None:
    """Raise on a column of another type: whole numbers for states, numbers for probabilities and rewards."""
    for column, kind in table.schema.items():
        whole, flag = column in {"state", "next_state"}, column == "terminal"
        numeric = column in {"probability", "initial_probability"} or column.startswith("reward_")
        numeric = numeric and column != "reward_names"
        fits = kind.is_integer() if whole else kind == pl.Boolean if flag else kind.is_numeric() or not numeric
        if not (fits or (numeric and kind == pl.Null)):
            called = "whole numbers" if whole else "true or false" if flag else "numbers"
            raise file_fail(path, got=f"`{column}` of type {kind}", expected=called, remedy="Convert the column.")


def _chosen(path: Path, rows: pl.DataFrame, name: str | None) -> str:
    names = rows["mdp"].unique().sort().to_list()
    if not names:
        raise file_fail(path, got="no rows", expected="transitions", remedy="Write it again; it may end early.")
    if name is None and len(names) == 1:
        return str(names[0])
    if name not in names:
        got = "no name of an MDP" if name is None else f"the MDP {name!r}"
        raise fail(got=got, expected=f"one of {names}", remedy=f"Write {path.name}:{names[0]}.")
    return str(name)


def _check_rows(path: Path, rows: pl.DataFrame, states: pl.DataFrame) -> None:
    """Raise on rows of terminal or unknown states."""
    if rows.select(_TRANSITIONS).null_count().sum_horizontal().item() > 0:
        raise file_fail(path, got="an empty cell", expected="every column filled", remedy="Complete the table.")
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


def _source(path: Path, name: str, rows: pl.DataFrame, states: pl.DataFrame, gamma: float | None) -> MDPSource:
    actions: list[Any] = rows["action"].unique(maintain_order=True).to_list()
    label = rows["action"].replace_strict(actions, range(len(actions))).cast(pl.Int64).to_numpy()
    keys = rows["state"].to_numpy() * len(actions) + label
    pairs, index = np.unique(keys, return_inverse=True)
    index = index.reshape(-1)
    shares = rows["probability"].cast(pl.Float64).to_numpy()
    if states["reward_names"][0] is None:
        raise file_fail(path, got="no `reward_names`", expected="names with commas between", remedy="Add them.")
    names = str(states["reward_names"][0]).split(",")
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
    """Labels; where a final state has the label of another one, "... end"; else the state's number behind it."""
    labels = states["label"].cast(pl.String).to_list()
    result: list[str] = []
    for state, (label, terminal) in enumerate(zip(labels, states["terminal"], strict=True)):
        name = f"{label} end" if terminal and labels.count(label) > 1 else str(label)
        result.append(name if name not in result else f"{name} #{state}")
    return result
