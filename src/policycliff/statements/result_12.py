"""Result 12: weights that read the rewards; the extra term of a softmax gate, and the jump of a hard one.

Claimed by the public bounds; measured with a gate written out here in plain NumPy: random corners of the ball of tuples
and the corner that turns the gate, central differences, dense soft solves of the moved mixtures, a world where the
bound is attained, and two tuples on both sides of the tie of a hard gate.
"""

import numpy as np

from policycliff.cliffs.gates.bounds import gate_bounds
from policycliff.cliffs.gates.jump import gate_jump
from policycliff.cliffs.gates.result import GateBounds
from policycliff.mdp.model import MDP
from policycliff.rewards.gates.gate import reward_gate
from policycliff.shapes import Float64
from policycliff.statements.facts import moving_pairs, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import growth, measured_soft_q, spans, state_tv
from policycliff.statements.statement import Claim, Outcome, Statement

TRIALS = 4
MOST_ENTRIES = 500
STEP = 1e-4
NEAR_TIE = 1e-7

Tuple = Float64[np.ndarray, "components pairs"]


def check(instance: Instance) -> Outcome:
    """A softmax gate on the instance, the world that attains the bound, and a hard gate at its tie."""
    mdp, rng = instance.mdp, instance.generator("Result 12")
    rewards, _ = instance.tuple_of_rewards()
    scale = max(float(np.abs(rewards).max()), reward_scale(mdp))
    cold, size = float(rng.choice([0.25, 1.0])) * scale, float(rng.choice([0.01, 0.25])) * scale
    gain = float(rng.choice([-1.0, 1.0, 2.0]))
    bounds = gate_bounds(mdp, rewards, reward_gate(gain, temperature=cold), size, 0.5 * scale, starts=0)
    moves = [size * rng.choice([-1.0, 1.0], rewards.shape) * moving_pairs(mdp) for _ in range(TRIALS)]
    claims = [*_moved(mdp, rewards, moves, bounds, gain=gain, cold=cold)]
    if rewards.size <= MOST_ENTRIES:
        claims.append(_derivative(mdp, rewards, bounds, gain=gain, cold=cold))
    claims += [*_attained(size, scale, cold=cold), _jump(scale, 0.5 * scale)]
    return Outcome(claims=tuple(claims))


def _moved(
    mdp: MDP, rewards: Tuple, moves: list[Tuple], bounds: GateBounds, *, gain: float, cold: float
) -> list[Claim]:
    """Effective reward and soft policy under random moves of the tuple."""
    alive, alpha = moving_pairs(mdp), bounds.temperature
    before = gated(mdp, rewards, gain=gain, cold=cold) * alive
    after = [gated(mdp, rewards + move, gain=gain, cold=cold) * alive for move in moves]
    shift = np.maximum.reduce([np.abs(reward - before) for reward in after])
    policies = [measured_soft_q(mdp, reward, base=np.ones(mdp.n_pairs), temperature=alpha) for reward in after]
    _, start, error = measured_soft_q(mdp, before, base=np.ones(mdp.n_pairs), temperature=alpha)
    moved = np.maximum.reduce([state_tv(mdp, start, policy) for _, policy, _ in policies])[bounds.states]
    error += max(item[2] for item in policies)
    rounding = 1e-14 * float(np.abs(rewards).max() + bounds.epsilon) / min(cold, 1.0)
    nearest = int(np.argmax(shift / np.maximum(bounds.reward_shift, 1e-300)))
    tightest = int(np.argmax(moved / np.maximum(bounds.certified, 1e-300)))
    slack = (error + rounding * growth(mdp)) / (2.0 * alpha) + 1e-13
    return [
        Claim("move of the mixture", float(bounds.reward_shift[nearest]), float(shift[nearest]), "<=", rounding),
        Claim("total variation", float(bounds.certified[tightest]), float(moved[tightest]), "<=", slack),
    ]


def _derivative(mdp: MDP, rewards: Tuple, bounds: GateBounds, *, gain: float, cold: float) -> Claim:
    """The exact first-order move of the pair where it is largest, by differences of fourth order."""
    pair, step = int(np.argmax(bounds.reward_first_order)), STEP * cold
    total = 0.0
    for entry in np.argwhere(np.tile(moving_pairs(mdp), (len(rewards), 1)) > 0.0).tolist():
        slope = 0.0
        for place, weight in ((1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)):
            moved = rewards.copy()
            moved[tuple(entry)] += place * step
            slope += weight * float(gated(mdp, moved, gain=gain, cold=cold)[pair])
        total += abs(slope) / (12.0 * step)
    claimed = float(bounds.reward_first_order[pair]) / bounds.epsilon
    error = (1e-10 + 1e-14 / STEP) * rewards.size * (1.0 + float(np.abs(rewards).max()) / cold)
    return Claim("derivative of the mixture, 1-norm", claimed, total, "=", error)


def _attained(size: float, scale: float, *, cold: float) -> list[Claim]:
    """Two components that rank two actions in opposite order; a third action, never taken, is read by the gate.

    The gate crosses its tie, the first action gains all that the bound allows and the second loses as much.
    """
    bandit, epsilon, low = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0), 2.0 * size, -60.0 * scale
    rewards = np.array([[scale - size, size - scale, low - size], [-scale - size, size + scale, low + size]])
    move = epsilon * np.array([[1.0, -1.0, 1.0], [1.0, -1.0, -1.0]])
    gate = reward_gate(1.0, temperature=cold, statistic=[0.0, 0.0, 1.0])
    bounds = gate_bounds(bandit, rewards, gate, epsilon, scale, starts=0)
    ends, policies = [], []
    for components in (rewards, rewards + move):
        share = 1.0 / (1.0 + np.exp((components[1, 2] - components[0, 2]) / cold))
        ends.append(share * components[0] + (1.0 - share) * components[1])
        policies.append(measured_soft_q(bandit, ends[-1], base=np.ones(3), temperature=scale)[1])
    claimed, moved = float(bounds.reward_shift[0]), float(ends[1][0] - ends[0][0])
    by_hand = epsilon + 2.0 * scale * float(np.tanh(size / cold))
    shift = float(state_tv(bandit, policies[0], policies[1])[0])
    return [
        Claim("the bound where it is attained", claimed, moved, "=", 1e-9 * claimed),
        Claim("e + D tanh(g e / 2 T)", by_hand, moved, "=", 1e-9 * claimed),
        Claim("the soft policy there", float(bounds.certified[0]), shift, "=", 1e-8 * shift),
    ]


def _jump(scale: float, alpha: float) -> Claim:
    """Two opposed rewards under a hard gate: moves of next to nothing, and the soft policy jumps."""
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    rewards = scale * np.eye(2)
    found = gate_jump(bandit, rewards, reward_gate(1.0, temperature=0.0), alpha)
    policies = []
    for sign in (1.0, -1.0):
        moved = rewards + NEAR_TIE * scale * sign * np.array([[1.0, 1.0], [-1.0, -1.0]])
        chosen = moved[int(np.argmax(moved.mean(axis=1)))]
        policies.append(measured_soft_q(bandit, chosen, base=np.ones(2), temperature=alpha)[1])
    measured = float(state_tv(bandit, policies[0], policies[1])[0])
    error = found.policy_error + 2.0 * NEAR_TIE * scale / alpha
    return Claim("jump of the soft policy under a hard gate", found.policy_jump, measured, "=", error)


def gated(mdp: MDP, rewards: Tuple, *, gain: float, cold: float) -> Float64[np.ndarray, " pairs"]:
    """The mixture whose weights are the softmax of gain times the means over actions, state by state."""
    result = np.zeros(mdp.n_pairs)
    for first, last in spans(mdp):
        logits = gain * rewards[:, first:last].mean(axis=1) / cold
        weights = np.exp(logits - logits.max())
        result[first:last] = weights @ rewards[:, first:last] / weights.sum()
    return result


STATEMENT = Statement(
    number="Result 12",
    title="Weights that read the rewards",
    says="A softmax gate (gain g, temperature T) adds g D / (2 T) to the constant; a hard one jumps, entropy or not.",
    example="unique chain",
    check=check,
)
