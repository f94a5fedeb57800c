"""The cliff itself: what happens at one state while the reward moves on a line through a tie.

Where the optimum is tied, the line raises one tied action; where it is unique, it follows the witness of the stability
radius, which meets a tie at the radius. The sets A* along the line come from its breakpoints (Result 2): exact on small
MDPs. At each point: a deterministic choice from the set, the uniform one, and soft policies at three temperatures.
"""

from typing import Any

import numpy as np

from policycliff.actions.kernels import TIED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.lines.parts import uniform_over
from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
from policycliff.cliffs.radius.radius import stability_radius
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.facts import optimal_sets, reward_scale, tied_state
from policycliff.statements.instances import Instance
from policycliff.values.regularizers import Entropy
from policycliff.values.solve import solve

POINTS, MANY_STATES = 81, 400
TEMPERATURES = (0.05, 0.25, 1.0)


def cliff_figure(instance: Instance) -> dict[str, Any] | None:
    """Plain data for the plots of the cliff; None where no change of the reward changes the policy, or many states."""
    mdp = instance.mdp
    line = _line(mdp, optimal_sets(mdp)) if mdp.n_states <= MANY_STATES else None
    if line is None:
        return None
    direction, pair, tie, span = line
    path = perturbation_path(mdp, direction, tie - span, tie + span)
    if path.status == "truncated":
        return None
    state = int(mdp.pair_states[pair])
    here = slice(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
    times = tie + span * np.linspace(-1.0, 1.0, POINTS)
    times[POINTS // 2] = tie
    points = [_point(path, t, here, at_tie=number == POINTS // 2) for number, t in enumerate(times.tolist())]
    temperatures = [share * span for share in TEMPERATURES]
    soft = [[_soft(path, t, here, temperature) for temperature in temperatures] for t in times.tolist()]
    return {
        "instance": instance.name,
        "state": mdp.state_name(state),
        "actions": [mdp.action_name(number) for number in range(here.start, here.stop)],
        "raised": pair - here.start,
        "tie": tie,
        "t": times.tolist(),
        "temperatures": temperatures,
        "soft": soft,
        "breakpoints": [item.t for item in path.breakpoints],
        "path_status": path.status,
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


def _point(path: PerturbationPath, t: float, here: slice, *, at_tie: bool) -> dict[str, Any]:
    """The set at one t and what two selections make of it; the tie is at its breakpoint, not where that rounds to."""
    if at_tie and path.breakpoints:
        members = min(path.breakpoints, key=lambda item: abs(item.t - t)).members
    else:
        members = path.members(t)
    uniform = uniform_over(path.mdp, members)[here]
    first = int(np.argmax(members[here]))
    return {
        "optimal": members[here].tolist(),
        "deterministic": [float(number == first) for number in range(uniform.size)],
        "uniform": uniform.tolist(),
    }


def _soft(path: PerturbationPath, t: float, here: slice, temperature: float) -> list[float]:
    """The entropy-regularised policy at the state."""
    mdp = path.mdp.with_rewards(path.rewards(t))
    return solve(mdp, regularizer=Entropy(temperature)).policy[here].tolist()
