"""How many optimal policies there are, and how many distinct traces they can produce.

A trace is a sequence of states and actions from an initial to a terminal state that has positive probability under
some optimal policy. On trees both numbers are astronomically large, so all of it is in natural logarithms. Traces are
counted on acyclic MDPs only (elsewhere there are infinitely many). Cost: O(nonzeros).
"""

from dataclasses import dataclass
from math import log

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.trace_kernels import log_path_counts
from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import longest_path
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool
from policycliff.values.operator import UNIT_ROUNDOFF


@dataclass(frozen=True, slots=True)
class LogCount:
    """Natural logarithm of a number, and an interval that contains the true one."""

    value: float
    low: float
    high: float


def log_policies(
    actions: OptimalActions, unsettled: Bool[np.ndarray, " states"], among: Bool[np.ndarray, " states"]
) -> LogCount:
    """Deterministic optimal policies, told apart by what they do in the states `among`."""
    logs = np.log(actions.counts[among])
    high = float(logs.sum())
    low = float(logs[~unsettled[among]].sum())
    rounding = 2.0 * UNIT_ROUNDOFF * (logs.size + 2) * high if high > 0.0 else 0.0
    return LogCount(value=high, low=max(low - rounding, 0.0), high=high + rounding)


def log_traces(actions: OptimalActions, unsettled: Bool[np.ndarray, " states"]) -> LogCount | None:
    """Distinct optimal traces from the initial distribution; None where the MDP has a cycle."""
    mdp = actions.mdp
    if mdp.order is None or mdp.initial is None:
        return None
    most = _log_traces(actions, np.zeros(mdp.n_states, dtype=bool))
    fewest = _log_traces(actions, unsettled) if unsettled.any() else most
    rounding = _rounding(mdp) * (1.0 + most)
    return LogCount(value=most, low=max(fewest - rounding, 0.0), high=most + rounding)


def _log_traces(actions: OptimalActions, least: Bool[np.ndarray, " states"]) -> float:
    mdp = actions.mdp
    if mdp.order is None or mdp.initial is None:
        return 0.0
    kernel = (mdp.order, mdp.offsets, mdp.indptr, mdp.successors, actions.members, frozen(least))
    logs = log_path_counts(*kernel)[mdp.initial > 0.0]
    return float(logs.max() + np.log(np.exp(logs - logs.max()).sum()))


def _rounding(mdp: MDP) -> float:
    """Bound on the relative error of the logarithm: a few roundings and one sum a step."""
    if mdp.order is None:
        return 0.0
    steps = longest_path(mdp.order, mdp.first_successors, mdp.successors, 1.0).max()
    widest = float(np.diff(mdp.first_successors).max())
    return 4.0 * UNIT_ROUNDOFF * (float(steps) + 2.0) * (widest + 8.0)


def count_traces(mdp: MDP, members: Bool[np.ndarray, " pairs"]) -> int | None:
    """The number itself, as a Python integer; None where the MDP has a cycle. For MDPs that fit exact arithmetic."""
    if mdp.order is None or mdp.initial is None:
        return None
    counts = [1] * mdp.n_states
    indptr, successors = mdp.indptr.tolist(), mdp.successors.tolist()
    for state in mdp.order.tolist():
        pairs = range(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
        targets = [t for pair in pairs if members[pair] for t in successors[indptr[pair] : indptr[pair + 1]]]
        if targets:
            counts[state] = sum(counts[target] for target in targets)
    return sum(counts[state] for state in np.flatnonzero(mdp.initial > 0.0).tolist())


def exact_log_traces(mdp: MDP, members: Bool[np.ndarray, " pairs"]) -> LogCount | None:
    """The logarithm of `count_traces`, correct up to its last place."""
    count = count_traces(mdp, members)
    if count is None:
        return None
    value = log(count)
    return LogCount(value=value, low=value * (1.0 - 4.0 * UNIT_ROUNDOFF), high=value * (1.0 + 4.0 * UNIT_ROUNDOFF))
