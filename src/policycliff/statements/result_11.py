"""Result 11: the discount is a tie-breaker between lengths.

Two correct traces, one longer by k steps, with the discount of the instance: the sign of the reward says which is
better, equal lengths tie, and at gamma = 1 (or 0: the shorter one takes two steps or more) all lengths tie. The radius
claimed is |r| tanh(k ln(1 / gamma) / 2); measured are the general radius with all but the last rewards frozen, and
dense solves just inside and just outside.
"""

import numpy as np

from policycliff.cliffs.lines.discount import length_radius
from policycliff.cliffs.radius.radius import stability_radius
from policycliff.mdp.model import MDP
from policycliff.mdp.tree import END, token_tree
from policycliff.statements.facts import reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q
from policycliff.statements.statement import Claim, Outcome, Statement


def check(instance: Instance) -> Outcome:
    """Two lengths, twice the same length, and the radius where the discount decides."""
    rng, gamma = instance.generator("Result 11"), instance.mdp.gamma
    short, extra = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    reward = float(rng.choice([-1.0, 1.0])) * reward_scale(instance.mdp)
    lead, error = _lead(_traces(short, short + extra, (reward, reward), gamma))
    same, same_error = _lead(_traces(short, short, (reward, reward), gamma))
    claims = [
        Claim(
            f"lead of {short + 1} steps over {short + extra + 1}",
            reward * (gamma**short - gamma ** (short + extra)),
            lead,
            "=",
            error,
        ),
        Claim("lead of one trace over another of equal length", 0.0, same, "=", same_error),
    ]
    if 0.0 < gamma < 1.0:
        claims.extend(_radius(short, extra, reward, gamma))
    return Outcome(claims=tuple(claims))


def _radius(short: int, extra: int, reward: float, gamma: float) -> list[Claim]:
    """The claimed radius against the general one, and the order of the two just inside and just outside."""
    radius = length_radius(reward, extra_steps=extra, gamma=gamma)
    tree = _traces(short, short + extra, (reward, reward), gamma)
    last = np.array([tree.action_name(pair).endswith(f"({END!r})") for pair in range(tree.n_pairs)])
    sign = float(np.sign(reward))
    moved = [_traces(short, short + extra, (reward - step, reward + step), gamma) for step in _steps(sign * radius)]
    (inside, first_error), (outside, second_error) = (_lead(tree) for tree in moved)
    return [
        Claim(
            "radius of last rewards, tanh form", radius, stability_radius(tree, mask=last).radius, "=", 1e-9 * radius
        ),
        Claim("lead of the better length just inside", 0.0, sign * inside, ">=", first_error),
        Claim("the same just outside", 0.0, sign * outside, "<=", second_error),
    ]


def _steps(radius: float) -> tuple[float, float]:
    return 0.999 * radius, 1.001 * radius


def _traces(first: int, second: int, rewards: tuple[float, float], gamma: float) -> MDP:
    """Two sequences of so many tokens that part at once, paid at their ends."""
    return token_tree(["a" * first, "b" * second], list(rewards), gamma=gamma)


def _lead(tree: MDP) -> tuple[float, float]:
    """Q of the first sequence minus Q of the second, at the root, with an error."""
    q, error = measured_q(tree)
    root = int(np.argmax(np.diff(tree.offsets)))
    first = int(tree.offsets[root])
    return float(q[first] - q[first + 1]), 2.0 * error


STATEMENT = Statement(
    number="Result 11",
    title="The discount is a tie-breaker",
    says="For 0 < gamma < 1 equally rewarded lengths are strictly ordered, with radius |r| tanh(k ln(1/gamma) / 2).",
    example="discounted traces",
    check=check,
)
