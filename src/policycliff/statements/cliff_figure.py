"""The cliff itself: what happens at one state while the reward moves on a line through a tie.

Where the optimum is tied, the line raises one tied action; where it is unique, it follows the witness of the stability
radius, which meets a tie at the radius. At each point: the set A*, a deterministic choice, the uniform one, and
soft policies at three temperatures.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from policycliff.actions.kernels import TIED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.radius import stability_radius
from policycliff.mdp.model import MDP
from policycliff.policies.selection import greedy_policy, uniform_policy
from policycliff.statements.facts import optimal_sets, reward_scale, tied_state
from policycliff.statements.instances import Instance
from policycliff.values.regularizers import Entropy
from policycliff.values.solve import solve

POINTS = 81
FEW_POINTS, MANY_STATES = 21, 2000
TEMPERATURES = (0.05, 0.25, 1.0)


def cliff_figure(instance: Instance) -> dict[str, Any] | None:
    """Plain data for the plots of the cliff; None where no change of the reward changes the policy."""
    mdp = instance.mdp
    line = _line(mdp, optimal_sets(mdp))
    if line is None:
        return None
    direction, pair, tie, span = line
    state = int(mdp.pair_states[pair])
    first, last = int(mdp.offsets[state]), int(mdp.offsets[state + 1])
    count = POINTS if mdp.n_states <= MANY_STATES else FEW_POINTS
    times = tie + span * np.linspace(-1.0, 1.0, count)
    times[count // 2] = tie
    points = [_point(mdp.with_rewards(mdp.rewards + t * direction), slice(first, last), span) for t in times.tolist()]
    middle = points[count // 2]
    # Limits of optimal actions are optimal (Lemma 2.5): a breakpoint that is off by rounding has both sides' actions.
    middle["optimal"] = np.logical_or.reduce([point["optimal"] for point in points[count // 2 - 1 : count // 2 + 2]])
    middle["optimal"] = middle["optimal"].tolist()
    middle["uniform"] = (np.array(middle["optimal"]) / sum(middle["optimal"])).tolist()
    return {
        "instance": instance.name,
        "state": mdp.state_name(state),
        "actions": [mdp.action_name(number) for number in range(first, last)],
        "raised": pair - first,
        "tie": tie,
        "t": times.tolist(),
        "temperatures": [share * span for share in TEMPERATURES],
        **{key: [point[key] for point in points] for key in points[0]},
    }


def _line(mdp: MDP, actions: OptimalActions) -> tuple[Float64[np.ndarray, " pairs"], int, float, float] | None:
    """Direction, the pair that it favours, where the tie is, and how far to look on both sides."""
    direction = np.zeros(mdp.n_pairs)
    if (actions.codes == TIED).any():
        pair = int(actions.pairs(tied_state(actions))[-1])
        direction[pair] = 1.0
        return direction, pair, 0.0, 0.5 * reward_scale(mdp)
    radius = stability_radius(mdp)
    if not 0.0 < radius.radius < np.inf:
        return None
    direction = radius.witness / radius.radius
    return direction, mdp.pair(radius.state, radius.action), radius.radius, radius.radius


def _point(mdp: MDP, here: slice, span: float) -> dict[str, Any]:
    """What the state does under one reward."""
    actions = optimal_sets(mdp)
    soft = [solve(mdp, regularizer=Entropy(share * span)).policy[here].tolist() for share in TEMPERATURES]
    return {
        "optimal": actions.members[here].tolist(),
        "deterministic": greedy_policy(actions)[here].tolist(),
        "uniform": uniform_policy(actions)[here].tolist(),
        "soft": soft,
    }
