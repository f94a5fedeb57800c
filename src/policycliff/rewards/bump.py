"""The bump of Lemma C.1: a continuous reward change that is felt at one pair and fades around it.

phi(s, a) = max(0, 1 - d((s, a), (s0, a2)) / width), with d the max product metric of the metrics of states and actions.
It lies in [0, 1], is 1 at (s0, a2) alone, 0 at distance `width` and beyond, and 1 / width-Lipschitz: the larger of two
distances is 1-Lipschitz, and cutting at 0 makes no function steeper. Cost: O(states + pairs) distances.
"""

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, fail
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64


def bump(
    mdp: MDP,
    state: int,
    action: int,
    *,
    width: float,
    state_metric: MetricGrid | None = None,
    action_metric: MetricGrid | None = None,
) -> Float64[np.ndarray, " pairs"]:
    """phi(s, a) = max(0, 1 - d((s, a), (state, action)) / width) (Lemma C.1).

    Args:
        mdp: the MDP whose pairs the bump is over.
        state: centre s0.
        action: centre a2, an action index that is available at s0.
        width: distance at which the bump ends, above 0, in units of the metrics.
        state_metric: distances of states; by default all are 1 apart.
        action_metric: distances of action indices; by default all are 1 apart.

    Returns:
        (pairs,) values in [0, 1], read-only: 1 at the centre and, up to rounding, nowhere else. With the default
        metrics and a width of at most 1 it is the indicator of the centre.

    Raises:
        InvalidInputError: no such pair, a width that is not positive, or a metric over too few points.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, MetricGrid, bump
        >>> line = MDP.from_arrays(np.ones((1, 5, 1)), np.zeros((1, 5)), 0.0)
        >>> bump(line, 0, 2, width=2.0, action_metric=MetricGrid.line(0.0, 4.0, 5))
        array([0. , 0.5, 1. , 0.5, 0. ])
    """
    check_mdp(mdp)
    mdp.pair(state, action)
    if not 0.0 < as_number("width", width) < np.inf:
        raise fail(got=f"width = {width!r}", expected="a positive finite distance", remedy="Try 1.0.")
    states, actions = metrics_of(mdp, state_metric, action_metric)
    across = states.distances_from(state)[mdp.pair_states]
    along = actions.distances_from(action)[mdp.actions]
    with np.errstate(over="ignore"):
        return frozen(np.maximum(0.0, 1.0 - np.maximum(across, along) / width))


def metrics_of(
    mdp: MDP, state_metric: MetricGrid | None, action_metric: MetricGrid | None
) -> tuple[MetricGrid, MetricGrid]:
    """The two metrics, discrete where none is given.

    Raises:
        InvalidInputError: a metric has too few points.
    """
    for name, metric in (("state_metric", state_metric), ("action_metric", action_metric)):
        if metric is not None and not isinstance(metric, MetricGrid):
            raise fail(
                got=f"`{name}` of type {type(metric).__name__}",
                expected="a MetricGrid",
                remedy="Use MetricGrid.from_points, or MetricGrid.from_distances for a table.",
            )
    n_actions = int(mdp.actions.max()) + 1
    states = MetricGrid.discrete(mdp.n_states) if state_metric is None else state_metric
    actions = MetricGrid.discrete(n_actions) if action_metric is None else action_metric
    if states.size != mdp.n_states:
        raise fail(
            got=f"`state_metric` over {states.size} points",
            expected=f"{mdp.n_states}, one a state",
            remedy="Give one point for each state, in their order.",
        )
    if actions.size < n_actions:
        raise fail(
            got=f"`action_metric` over {actions.size} points",
            expected=f"at least {n_actions}, one an action index",
            remedy="Give one point for each action index.",
        )
    return states, actions
