"""The discount as a tie-breaker between lengths (beyond the paper: Result 11).

A trace of n steps that earns r at its end is worth gamma^(n - 1) r. So for 0 < gamma < 1 shorter traces are strictly
better if r > 0 and longer ones if r < 0; equal lengths tie at every gamma. Equal rewards tie across lengths only at
gamma = 1, or at gamma = 0 where both take two or more steps (then no change of the last rewards matters at all).
Section 3.3 of the paper speaks of such ties: they lie outside its Assumption 2.3 (gamma < 1).

How stable the order is: if only the rewards of last steps may move, by at most e, the shorter trace stays best while
r - e >= gamma^k (r + e), that is up to e = r (1 - gamma^k) / (1 + gamma^k) = r tanh(k ln(1 / gamma) / 2).

Lengths count steps; in `token_tree` the explicit "end" is the last step of every sequence.
"""

import math

from policycliff.mdp.messages import check_gamma, fail


def length_radius(reward: float, *, extra_steps: int, gamma: float) -> float:
    """|r| tanh(k ln(1/gamma) / 2): how far last rewards can move before two lengths change their order (Result 11).

    Args:
        reward: the reward r that both traces earn in their last step; any finite number.
        extra_steps: k, by how many steps the longer one is longer; at least 0.
        gamma: discount in [0, 1]. At 0 the result holds if the shorter trace has a single step.

    Returns:
        The radius, in units of reward; 0 where the two tie. Correct to a few units in the last place.

    Raises:
        InvalidInputError: an argument is out of range.

    Example:
        >>> round(length_radius(1.0, extra_steps=1, gamma=0.99), 6)
        0.005025
    """
    discount = check_gamma(gamma)
    if not math.isfinite(reward):
        raise fail(got=f"reward = {reward!r}", expected="a finite number", remedy="Pass the reward of a correct trace.")
    if isinstance(extra_steps, bool) or extra_steps != int(extra_steps) or extra_steps < 0:
        raise fail(got=f"extra_steps = {extra_steps!r}", expected="a whole number of at least 0", remedy="Count steps.")
    if extra_steps == 0 or reward == 0.0:
        return 0.0
    rate = math.inf if discount == 0.0 else -math.log(discount)
    return abs(float(reward)) * math.tanh(0.5 * extra_steps * rate)


def preferred_length(reward: float, *, gamma: float) -> str:
    """Which of two lengths with the same last reward is better: "shorter", "longer" or "tied" (Result 11).

    For traces of two or more steps.

    Example:
        >>> preferred_length(-1.0, gamma=0.9)
        'longer'
    """
    if check_gamma(gamma) in {0.0, 1.0} or reward == 0.0:
        return "tied"
    return "shorter" if reward > 0.0 else "longer"
