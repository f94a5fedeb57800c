"""Result 3: the weights of two rewards fall into cells, on each of which one set of policies is optimal.

On the line (1 - w) R_1 + w R_2 the optimum V*(w) is convex and piecewise linear in every state. Cells mean optimal
everywhere; the cells of the return from the initial distribution alone are never more. The distance from equal weights
to the nearest wall is measured by enumeration of all policies.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
from policycliff.mdp.model import MDP
from policycliff.statements.envelope import inner, make_envelope
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, rounding
from policycliff.statements.statement import Claim, Outcome, Statement

MOST_BREAKPOINTS = 60
POINTS = 9
# Kinks by enumeration are ratios of differences of floats; the walls are fractions.
NEAR_WALL = 1e-8


def check(instance: Instance) -> Outcome:
    """The cells against enumeration, and convexity against dense solves."""
    rewards, _ = instance.tuple_of_rewards()
    mdp = instance.mdp.with_rewards(rewards[0])
    path = perturbation_path(mdp, rewards[1] - rewards[0], 0.0, 1.0, max_breakpoints=MOST_BREAKPOINTS)
    return Outcome(claims=(*_cells(path), _convexity(mdp, path.direction)))


def _cells(path: PerturbationPath) -> list[Claim]:
    """Number of cells and the nearest wall; nothing where there are too many policies or the path is not complete."""
    envelope = make_envelope(path.mdp, path.direction)
    if envelope is None or path.status != "complete":
        return []
    walls = inner([item.t for item in path.breakpoints], 0.0, 1.0)
    kinks = envelope.kinks(0.0, 1.0)
    claims = [
        Claim("cells of the weight, against enumeration", float(len(walls) + 1), float(len(kinks) + 1), "="),
        Claim(
            "distance of equal weights to the nearest wall", _nearest(walls), _nearest(kinks), "=", NEAR_WALL, size=1.0
        ),
    ]
    if path.mdp.initial is not None:
        seen = envelope.mixed(path.mdp.initial).kinks(0.0, 1.0)
        claims.append(Claim("cells of the return, at most those of all states", len(walls) + 1.0, len(seen) + 1.0))
    return claims


def _nearest(walls: list[float]) -> float:
    return min((abs(w - 0.5) for w in walls), default=np.inf)


def _convexity(mdp: MDP, direction: Float64[np.ndarray, " pairs"]) -> Claim:
    """V*(w) in the middle of two weights, above the mean of both by at most 0, in every state."""
    values, errors = [], []
    for w in np.linspace(0.0, 1.0, 2 * POINTS - 1).tolist():
        q, error = measured_q(mdp, mdp.rewards + w * direction)
        values.append(np.maximum.reduceat(q, mdp.offsets[:-1]))
        errors.append(error)
    bends = [np.max(middle - (left + right) / 2.0) for (left, middle), (_, right) in pairwise(pairwise(values))]
    large = float(np.abs(values).max())
    return Claim("V* above its chords", 0.0, float(max(bends)), "<=", 2.0 * max(errors) + rounding(mdp, large), large)


STATEMENT = Statement(
    number="Result 3",
    title="Cells of the mixture weight",
    says="V* is convex and piecewise linear in the weight of two rewards; its cells and walls are found exactly.",
    example="unique chain",
    check=check,
    most_states=1000,
)
