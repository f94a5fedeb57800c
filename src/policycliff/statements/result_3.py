"""Result 3: the weights of several rewards fall into cells, on each of which one set of policies is optimal.

The optimum V*(w) is convex and piecewise linear in the weights. Two rewards: where it bends is found by enumeration of
all policies, in every state. Three: the cells of the return from the initial distribution fill the triangle, and the
distance of equal weights to the nearest wall is that to the first of all policies that takes over. Both: at random
weights a dense solve gives what the cell offers in which they lie.
"""

from itertools import pairwise

import numpy as np

from policycliff.cliffs.phases.phases import MixturePhases, mixture_phases
from policycliff.mdp.model import MDP
from policycliff.policies.occupancy import start_distribution
from policycliff.shapes import Float64
from policycliff.statements.envelope import Envelope, all_values, inner
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, rounding
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet

MOST_CELLS, MOST_ROUNDS = 60, 100
POINTS = 4
CHORDS = 4
# Kinks by enumeration are ratios of differences of floats; the walls are fractions.
NEAR_WALL = 1e-8
# Relative to the values: what rounding makes of equal returns.
EQUAL = 1e-10

Rewards = Float64[np.ndarray, "components pairs"]
Point = Float64[np.ndarray, " components"]
Values = Float64[np.ndarray, "policies states components"]


def check(instance: Instance) -> Outcome:
    """The cells of two and three rewards against enumeration and dense solves; convexity where they are too many."""
    rewards, _ = instance.tuple_of_rewards()
    if len(rewards) < 2:
        return unmet(Hypothesis("there are two rewards or more", holds=False))
    mdp, rng = instance.mdp, instance.generator("Result 3")
    values = all_values(mdp, rewards[:3])
    claims: list[Claim] = []
    for count, scope in ((2, "everywhere"), (3, "start"))[: len(rewards) - 1]:
        part = rewards[:count]
        phases = _phases(mdp, part, scope, exact=values is not None)
        if phases.status == "truncated":
            return Outcome(claims=(*claims, _convexity(mdp, rewards)))
        if phases.arithmetic == "exact" and values is not None:
            claims += _line(phases, values) if count == 2 else _triangle(mdp, phases, values)
        claims.append(_optimum(mdp, part, phases, rng.dirichlet(np.ones(count), POINTS)))
    return Outcome(claims=tuple(claims))


def _phases(mdp: MDP, rewards: Rewards, scope: str, *, exact: bool) -> MixturePhases:
    """The phases around equal weights: in fractions where there is an enumeration to compare with."""
    count = len(rewards)
    return mixture_phases(
        mdp,
        rewards,
        weights=np.full(count, 1.0 / count),
        scope=scope,
        exact="auto" if exact else False,
        max_cells=MOST_CELLS,
        max_rounds=MOST_ROUNDS,
    )


def _line(phases: MixturePhases, values: Values) -> list[Claim]:
    """Number of cells, every wall and the nearest one, where two rewards are mixed."""
    kinks = Envelope(values[:, :, 0], values[:, :, 1] - values[:, :, 0]).kinks(0.0, 1.0)
    walls = inner([float(wall.vertices[0, 1]) for wall in phases.walls], 0.0, 1.0)
    same = len(walls) == len(kinks)
    apart = max((abs(wall - kink) for wall, kink in zip(walls, kinks, strict=True)), default=0.0) if same else np.inf
    # Moving w moves both weights, by as much: 2 |w - 1/2| in the 1-norm.
    near = min((2.0 * abs(kink - 0.5) for kink in kinks), default=np.inf)
    return [
        Claim("cells of two rewards, against enumeration", float(len(phases.cells)), len(kinks) + 1.0, "="),
        Claim("walls of two rewards, beside those of enumeration", 0.0, apart, "=", NEAR_WALL, size=1.0),
        Claim("two equal weights: distance to the nearest wall", _distance(phases), near, "=", NEAR_WALL, size=1.0),
    ]


def _triangle(mdp: MDP, phases: MixturePhases, values: Values) -> list[Claim]:
    """The area of all cells and the nearest wall, where three rewards are mixed."""
    area = sum(_area(cell.vertices) for cell in phases.cells)
    near = _takeover(values.transpose(0, 2, 1) @ start_distribution(mdp))
    return [
        Claim("cells of three rewards: their part of the triangle", 1.0, area, "=", NEAR_WALL),
        Claim("three equal weights: distance to the nearest wall", _distance(phases), near, "=", NEAR_WALL, size=1.0),
    ]


def _distance(phases: MixturePhases) -> float:
    return np.inf if phases.nearest is None else phases.nearest.distance


def _area(vertices: Float64[np.ndarray, "vertices 3"]) -> float:
    """The part of the triangle of weights that a polygon with these corners, in turn, covers."""
    x, y = vertices[:, 0], vertices[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _takeover(returns: Float64[np.ndarray, "policies components"]) -> float:
    """1-norm of the least move from equal weights after which another policy is as good, and further on better.

    Weight goes from the components where the other policy gains least to that where it gains most, none below 0.
    """
    count = returns.shape[1]
    small = EQUAL * (1.0 + float(np.abs(returns).max()))
    gains = returns - returns[int(np.argmax(returns.mean(axis=1)))]
    least = np.inf
    for gain in gains[gains.max(axis=1) > small]:
        missing, moved = max(-float(gain.mean()), 0.0), 0.0
        for worth in np.sort(gain.max() - gain)[::-1]:
            step = min(missing / worth, 1.0 / count) if worth > small else 0.0
            missing, moved = missing - step * worth, moved + step
        least = min(least, 2.0 * moved)
    return least


def _optimum(mdp: MDP, rewards: Rewards, phases: MixturePhases, points: Float64[np.ndarray, "points n"]) -> Claim:
    """The return of the optimum at these weights, by dense solves, beside that of the cells in which they lie."""
    apart, errors, large = [], [], 0.0
    for point in points:
        q, error = measured_q(mdp, point @ rewards)
        best = float(np.maximum.reduceat(q, mdp.offsets[:-1]) @ start_distribution(mdp))
        offered = [float(point @ cell.values) for cell in phases.cells if _holds(cell.vertices, point)]
        apart.append(max((abs(best - value) for value in offered), default=np.inf))
        errors.append(error)
        large = max(large, float(np.abs(q).max()))
    error = max(errors) + phases.error_bound + rounding(mdp, large + float(np.abs(rewards).max()))
    return Claim(f"V* at weights of {len(rewards)} rewards, beside its cell", 0.0, max(apart), "=", error, large)


def _holds(vertices: Float64[np.ndarray, "vertices n"], point: Point) -> bool:
    """Whether a point is in an interval, or in a polygon whose corners are in turn; its edge counts."""
    if len(point) == 2:
        return bool(vertices[:, 0].min() <= point[0] <= vertices[:, 0].max())
    x, y = (vertices - point)[:, :2].T
    turns = x * np.roll(y, -1) - y * np.roll(x, -1)
    return bool((turns >= 0.0).all() or (turns <= 0.0).all())


def _convexity(mdp: MDP, rewards: Rewards) -> Claim:
    """V* of two rewards in the middle of two weights, above the mean of both by at most 0, in every state."""
    values, errors = [], []
    for w in np.linspace(0.0, 1.0, 2 * CHORDS - 1).tolist():
        q, error = measured_q(mdp, (1.0 - w) * rewards[0] + w * rewards[1])
        values.append(np.maximum.reduceat(q, mdp.offsets[:-1]))
        errors.append(error)
    bends = [np.max(middle - (left + right) / 2.0) for (left, middle), (_, right) in pairwise(pairwise(values))]
    large = float(np.abs(values).max())
    return Claim("V* above its chords", 0.0, float(max(bends)), "<=", 2.0 * max(errors) + rounding(mdp, large), large)


STATEMENT = Statement(
    number="Result 3",
    title="Cells of the mixture weights",
    says="V* is convex and piecewise linear in the weights of rewards; its cells and walls are found exactly.",
    example="unique chain",
    check=check,
    most_states=1000,
)
