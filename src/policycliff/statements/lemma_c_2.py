"""Lemma C.2: the softmax at temperature alpha is 1 / alpha-Lipschitz from the sup norm to the 1-norm.

The constant is a supremum: it is approached where two halves of the probability are moved against each other.
"""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.policies.selection import soft_policy
from policycliff.shapes import Float64
from policycliff.statements.facts import reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, spans
from policycliff.statements.statement import Claim, Outcome, Statement
from policycliff.values.regularizers import Entropy

TRIALS = 8
SHARES = (1.0, 0.25, 0.0625)


def check(instance: Instance) -> Outcome:
    """The instance's widest state under random moves of its Q-values, and two equal actions that part."""
    rng, q = instance.generator("Lemma C.2"), _widest(instance.mdp)
    scale = reward_scale(instance.mdp)
    claims = []
    for share in SHARES:
        temperature = share * scale
        moves = [scale * rng.uniform(0.01, 1.0) * rng.uniform(-1.0, 1.0, q.size) for _ in range(TRIALS)]
        # Signs alone move the softmax most.
        moves += [np.abs(move).max() * np.sign(move) for move in moves]
        slopes = [
            np.abs(_softmax(q + move, temperature) - _softmax(q, temperature)).sum() / np.abs(move).max()
            for move in moves
        ]
        text = f"slope of the softmax at temperature {temperature:.3g}"
        claims.append(Claim(text, 1.0 / temperature, float(max(slopes)), "<=", 1e-12 / temperature))
    step = 1e-4
    parted = np.abs(_public_softmax(np.array([step, -step])) - _public_softmax(np.zeros(2))).sum() / step
    claims.append(Claim("slope where two equal actions part, alpha = 1", 1.0, float(parted), "=", 1e-8))
    return Outcome(claims=tuple(claims))


def _softmax(q: Float64[np.ndarray, " actions"], temperature: float) -> Float64[np.ndarray, " actions"]:
    weights = np.exp((q - q.max()) / temperature)
    return np.asarray(weights / weights.sum())


def _public_softmax(q: Float64[np.ndarray, " actions"]) -> Float64[np.ndarray, " actions"]:
    bandit = MDP.from_arrays(np.ones((1, q.size, 1)), q[None, :], 0.0)
    return soft_policy(bandit, q, regularizer=Entropy(1.0))


def _widest(mdp: MDP) -> Float64[np.ndarray, " actions"]:
    """Q-values of the first state with the most actions."""
    q, _ = measured_q(mdp)
    first, last = max(spans(mdp), key=lambda span: (span[1] - span[0], -span[0]))
    return q[first:last]


STATEMENT = Statement(
    number="Lemma C.2",
    title="The softmax is 1 / alpha-Lipschitz",
    says="The softmax at temperature alpha moves by at most the sup norm of the change over alpha, in the 1-norm.",
    example="sharp modulus",
    check=check,
)
