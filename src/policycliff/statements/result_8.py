"""Result 8: group normalisation gives what is left of a tie its full size.

GRPO's advantage is (r - mean) / (std + 1e-4). Rewards that are tied up to eta x, x a tie-breaker of unit spread, get
advantages (x - mean x) eta / (eta + 1e-4): nearly the same for eta = 1 and eta = 0.01, while the radius of the group,
half its lead, shrinks a hundredfold. A group without any spread has advantage 0.
"""

import statistics

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.radius.radius import stability_radius
from policycliff.mdp.model import MDP
from policycliff.statements.facts import optimal_sets, tied_somewhere, tied_state
from policycliff.statements.instances import Instance
from policycliff.statements.statement import Claim, Outcome, Statement, unmet

EPSILON = 1e-4
SIZES = (1.0, 1e-2, 1e-4)


def check(instance: Instance) -> Outcome:
    """The tied actions of a state as a group, with a random tie-breaker of three sizes, and without."""
    actions = optimal_sets(instance.mdp)
    hypothesis = tied_somewhere(actions)
    if hypothesis.holds is not True:
        return unmet(hypothesis)
    tied = _tied_group(actions)
    x = instance.generator("Result 8").permutation(np.arange(tied.size) / 1.0)
    x = (x - x.mean()) / x.std(ddof=1)
    claims = [
        Claim(
            f"largest advantage with a tie-breaker of size {size:g}",
            float(x.max()) * size / (size + EPSILON),
            max(_advantages((tied + size * x).tolist())),
            "=",
            1e-14 * (1.0 + float(np.abs(tied).max())) / size,
        )
        for size in SIZES
    ]
    lead = float(np.sort(x)[-1] - np.sort(x)[-2])
    radii = [_radius_claim(lead * size, tied + size * x, size) for size in SIZES]
    flat = Claim("largest advantage of the tie itself", 0.0, max(_advantages(tied.tolist())), "=")
    return Outcome(hypotheses=(hypothesis,), claims=(*claims, *radii, flat))


def _radius_claim(lead: float, group: np.ndarray, size: float) -> Claim:
    """The radius of the group as a bandit: half its lead, which shrinks with the tie-breaker as no advantage does."""
    bandit = MDP.from_arrays(np.ones((1, group.size, 1)), group[None, :], 0.0)
    error = 1e-14 * (1.0 + float(np.abs(group).max()))
    return Claim(f"half the lead at size {size:g}", 0.5 * lead, stability_radius(bandit).radius, "=", error)


def _tied_group(actions: OptimalActions) -> np.ndarray:
    """One reward for each tied action of the first tied state: what they all earn."""
    members = actions.pairs(tied_state(actions))
    return np.full(members.size, float(actions.mdp.rewards[members[0]]))


def _advantages(group: list[float]) -> list[float]:
    """GRPO's formula, with the standard library's mean and deviation."""
    mean, spread = statistics.fmean(group), statistics.stdev(group)
    return [(reward - mean) / (spread + EPSILON) for reward in group]


STATEMENT = Statement(
    number="Result 8",
    title="Group normalisation amplifies cliffs",
    says="Divided by the group's spread, a small tie-breaker gets advantages of full size.",
    example="tied bandit",
    check=check,
)
