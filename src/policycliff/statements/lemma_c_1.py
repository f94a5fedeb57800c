"""Lemma C.1: the bump on compact metric spaces: in [0, 1], 1 at its centre, 0 beyond its width, 1 / width-Lipschitz.

States get random places in the plane and actions on the line; distances of pairs are measured one by one.
"""

import numpy as np

from policycliff.mdp.metric import MetricGrid
from policycliff.rewards.bump import bump
from policycliff.statements.instances import Instance
from policycliff.statements.statement import Claim, Outcome, Statement

MOST_PAIRS = 300


def check(instance: Instance) -> Outcome:
    """One random bump; all pairs of pairs, or of a sample of them."""
    mdp, rng = instance.mdp, instance.generator("Lemma C.1")
    places = rng.normal(size=(mdp.n_states, 2))
    marks = np.cumsum(rng.uniform(0.1, 1.0, int(mdp.actions.max()) + 1))
    centre, width = int(rng.integers(mdp.n_pairs)), float(rng.uniform(0.2, 4.0))
    phi = bump(
        mdp,
        int(mdp.pair_states[centre]),
        int(mdp.actions[centre]),
        width=width,
        state_metric=MetricGrid.from_points(places),
        action_metric=MetricGrid.from_points(marks),
    )
    others = rng.permutation(np.delete(np.arange(mdp.n_pairs), centre))[: MOST_PAIRS - 1]
    sample = np.append(centre, others)
    at, along = places[mdp.pair_states[sample]], marks[mdp.actions[sample]]
    across = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    distances = np.maximum(across, np.abs(along[:, None] - along[None, :]))
    heights = phi[sample]
    differences = np.abs(heights[:, None] - heights[None, :])
    apart = distances > 0.0
    slope = float((differences[apart] / distances[apart]).max(initial=0.0))
    beyond = heights[distances[0] >= width * (1.0 + 1e-12)]
    rounding = 1e-14 / float(distances[apart].min(initial=1.0))
    return Outcome(
        claims=(
            Claim("Lipschitz constant", 1.0 / width, slope, "<=", rounding),
            Claim("distance to max(0, 1 - d / width)", 0.0, _off(heights, distances[0], width), "=", 1e-14, 1.0),
            Claim("value at the centre", 1.0, float(heights[0]), "="),
            Claim("largest value", 1.0, float(phi.max()), "<="),
            Claim("least value", 0.0, float(phi.min()), ">="),
            Claim("largest value beyond the width", 0.0, float(beyond.max(initial=0.0)), "="),
        )
    )


def _off(heights: np.ndarray, distances: np.ndarray, width: float) -> float:
    """How far the bump is from its formula, pair by pair."""
    formula = [max(0.0, (width - distance) / width) for distance in distances.tolist()]
    return max(abs(height - value) for height, value in zip(heights.tolist(), formula, strict=True))


STATEMENT = Statement(
    number="Lemma C.1",
    title="The bump",
    says="max(0, 1 - d / width) is continuous, 1 at its centre, 0 at its width and beyond, and 1 / width-Lipschitz.",
    example="tied chain",
    check=check,
)
