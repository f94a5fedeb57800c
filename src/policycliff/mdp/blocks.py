"""From checked arguments to the stored arrays of an MDP: the part that all builders share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import scipy.sparse as sp

from policycliff.errors import InvalidInputError
from policycliff.mdp.compilation import Floats, GivenIntegers, Indices, frozen, starts_type
from policycliff.mdp.kernels import (
    BAD_INDEX,
    BAD_NEGATIVE,
    BAD_NUMBER,
    BAD_SUM,
    backward_order,
    copy_rows,
    row_sums,
    rows_are_fine,
    stays,
)
from policycliff.mdp.messages import check_distribution, check_gamma, check_mask, check_names, fail, first_true
from policycliff.shapes import Bool, Float64, Int, Int64

ROW_SUM_TOLERANCE = 1e-9


class Blocks(TypedDict):
    """The fields of an `MDP`."""

    offsets: np.ndarray
    actions: np.ndarray
    indptr: np.ndarray
    successors: np.ndarray
    probabilities: np.ndarray
    rewards: np.ndarray
    gamma: float
    terminal: np.ndarray
    initial: np.ndarray | None
    state_names: tuple[str, ...] | None
    action_names: tuple[str, ...] | None
    order: np.ndarray | None
    row_sum_error: float


@dataclass(frozen=True, slots=True)
class Frame:
    """What is common to every builder: sizes, discount, terminal states, initial distribution, names."""

    n_states: int
    gamma: float
    terminal: Bool[np.ndarray, " states"]
    initial: Float64[np.ndarray, " states"] | None
    state_names: tuple[str, ...] | None
    action_names: tuple[str, ...] | None

    def state(self, index: int) -> str:
        """The state as messages call it."""
        return f"state {index}" if self.state_names is None else f"state {index} ({self.state_names[index]!r})"

    def action(self, index: int) -> str:
        """The action as messages call it."""
        return f"action {index}" if self.action_names is None else f"action {index} ({self.action_names[index]!r})"


@dataclass(frozen=True, slots=True)
class PairList:
    """The pairs to store: their states' offsets, their actions, and the row of the source kernel (-1: terminal).

    Rows None are all rows of the source in their order.
    """

    offsets: Int64[np.ndarray, " offsets"]
    actions: Int[np.ndarray, " pairs"]
    rows: Int64[np.ndarray, " pairs"] | None

    def listed(self) -> Int64[np.ndarray, " pairs"]:
        """(pairs,) the rows."""
        return np.arange(self.actions.size) if self.rows is None else self.rows

    def state(self, pair: int) -> int:
        """The state that owns a pair."""
        return int(np.searchsorted(self.offsets, pair, side="right")) - 1


def make_frame(
    n_states: int,
    n_actions: int,
    gamma: float,
    *,
    terminal: Any,
    initial: Any,
    state_names: Sequence[str] | None,
    action_names: Sequence[str] | None,
) -> Frame:
    """Check the arguments that every builder takes."""
    if n_states == 0:
        raise fail(got="an MDP without states", expected="at least one state", remedy="Check the arrays' shapes.")
    mask = np.zeros(n_states, dtype=bool)
    if terminal is not None:
        mask = check_mask("terminal", terminal, (n_states,), meaning="one entry a state").copy()
    start = None if initial is None else frozen(check_distribution("initial", initial, n_states))
    return Frame(
        n_states=n_states,
        gamma=check_gamma(gamma),
        terminal=frozen(mask),
        initial=start,
        state_names=check_names("state_names", state_names, n_states),
        action_names=check_names("action_names", action_names, n_actions),
    )


def as_csr(matrix: Any) -> sp.csr_array:
    """Any SciPy sparse matrix or array as a CSR array of float64; shares memory where it can."""
    return sp.csr_array(matrix, dtype=np.float64)


def assemble(
    kernel: sp.csr_array, rewards: Float64[np.ndarray, " pairs"], pairs: PairList, frame: Frame, *, copy: bool = True
) -> Blocks:
    """Check the chosen rows of the kernel and copy them, find the order of states, and freeze everything."""
    indptr, successors, probabilities, deviation = _checked_rows(kernel, pairs, frame, copy=copy)
    order, cycle = backward_order(indptr[pairs.offsets], successors)
    if frame.gamma == 1.0 and cycle >= 0:
        raise fail(
            got=f"gamma = 1 and a cycle through {frame.state(cycle)}",
            expected="an acyclic MDP where gamma is 1",
            remedy="Use gamma below 1, or mark absorbing states with `terminal`.",
        )
    return Blocks(
        offsets=frozen(pairs.offsets),
        actions=frozen(pairs.actions.astype(np.int32, copy=False)),
        indptr=frozen(indptr),
        successors=frozen(successors),
        probabilities=frozen(probabilities),
        rewards=frozen(rewards),
        gamma=frame.gamma,
        terminal=frame.terminal,
        initial=frame.initial,
        state_names=frame.state_names,
        action_names=frame.action_names,
        order=None if cycle >= 0 else frozen(order),
        row_sum_error=float(deviation),
    )


def _checked_rows(
    kernel: sp.csr_array, pairs: PairList, frame: Frame, *, copy: bool
) -> tuple[GivenIntegers, Indices, Floats, float]:
    """The chosen rows as new CSR arrays, and a bound on what their exact sums are off 1.

    Without `copy` the given arrays are shared where they can be stored as they are.
    """
    if pairs.rows is None:
        fine, deviation = rows_are_fine(kernel.indptr, kernel.indices, kernel.data, frame.n_states)
        if fine:
            starts = kernel.indptr.astype(starts_type(kernel.data.size), copy=copy)
            successors = kernel.indices.astype(np.int32, copy=copy)
            return starts, successors, kernel.data.copy() if copy else kernel.data, deviation
    size = int(kernel.indptr[-1])
    indptr, successors, probabilities = (
        np.empty(pairs.actions.size + 1, starts_type(size)),
        np.empty(size, np.int32),
        np.empty(size),
    )
    given = (kernel.indptr, kernel.indices, kernel.data, pairs.listed(), frame.n_states, ROW_SUM_TOLERANCE)
    deviation, code, bad = copy_rows(*given, indptr, successors, probabilities)
    if code:
        raise _bad_row(kernel, code, bad, pairs=pairs, frame=frame)
    end = int(indptr[-1])
    return indptr, successors[:end], probabilities[:end], deviation


def check_rewards(rewards: Float64[np.ndarray, " pairs"], pairs: PairList, frame: Frame) -> None:
    """Raise on the first reward that is NaN or infinite, with its state and action."""
    bad = first_true(~np.isfinite(rewards))
    if bad >= 0:
        raise fail(
            got=f"reward {rewards[bad]} at {frame.state(pairs.state(bad))}, {frame.action(int(pairs.actions[bad]))}",
            expected="finite rewards",
            remedy="Replace it, or mark the action as missing with `available`.",
        )


def check_terminal_rows(
    kernel: sp.csr_array,
    rewards: Float64[np.ndarray, " rows"],
    rows: Int64[np.ndarray, " chosen"],
    states: Int64[np.ndarray, " chosen"],
    frame: Frame,
) -> None:
    """Raise unless these rows of terminal states stay where they are (or are empty) with reward 0."""
    bad = stays(kernel.indptr, kernel.indices, kernel.data, rows, states)
    if bad >= 0:
        raise fail(
            got=f"a row of terminal {frame.state(int(states[bad]))} that leads elsewhere",
            expected="rows of terminal states that are zero or return to the state with probability 1",
            remedy="Correct the row, or take the state off `terminal`.",
        )
    paid = first_true(rewards[rows] != 0.0)
    if paid >= 0:
        raise fail(
            got=f"reward {rewards[rows[paid]]} at terminal {frame.state(int(states[paid]))}",
            expected="0 (terminal states are absorbing with reward 0)",
            remedy="Put the reward on the pairs that enter the state, or take the state off `terminal`.",
        )


def _bad_row(kernel: sp.csr_array, code: int, bad: int, *, pairs: PairList, frame: Frame) -> InvalidInputError:
    """The error for the first bad row of a kernel."""
    row = int(pairs.listed()[bad])
    where = f"{frame.state(pairs.state(bad))}, {frame.action(int(pairs.actions[bad]))}"
    entries = kernel.data[kernel.indptr[row] : kernel.indptr[row + 1]]
    total = row_sums(kernel.indptr, kernel.data, row)
    got, expected, remedy = {
        BAD_NUMBER: ("a probability that is NaN or infinite", "finite probabilities", "Replace it."),
        BAD_NEGATIVE: (
            f"the negative probability {entries.min(initial=0.0)}",
            "probabilities of at least 0",
            "Correct it.",
        ),
        BAD_INDEX: ("a successor index out of range", f"0 to {frame.n_states - 1}", "Rebuild the sparse matrix."),
        BAD_SUM: (
            f"probabilities that sum to {float(total)!r}",
            f"1 within {ROW_SUM_TOLERANCE:g}",
            "Divide the row by its sum; mark an action that does not exist with `available` "
            "and an absorbing end state with `terminal`.",
        ),
    }[code]
    return fail(got=f"{got} at {where}", expected=expected, remedy=remedy)
