"""How far Q-values can follow a reward: Proposition 2.4 with the horizon in place of 1 / (1 - gamma) (Result 10).

If |R1 - R2| <= e u for half-widths u over pairs, then |Q1 - Q2|(s, a) <= e H(s, a) with H the optimal Q-values of the
reward u: max over policies of the expected sum of gamma^t u. For u = 1 without terminal states H = 1 / (1 - gamma) and
this is Proposition 2.4; with terminal states, or where only the last step is paid (outcome rewards: H = 1, whatever the
length), H is less, and on acyclic MDPs it is finite at gamma = 1. The bound is attained, by e u at the reward 0.

Cost: one solve.
"""

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.solve import solve, tight_tolerance


def reward_horizon(mdp: MDP, half_widths: Float64[np.ndarray, " pairs"] | None = None) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) H(s, a), rounded up: the most that Q*(s, a) moves when rewards move by at most 1 half-width.

    Args:
        mdp: the MDP; its own rewards do not matter.
        half_widths: (pairs,) at least 0, by default 1 (0 at terminal states in any case).
    """
    widths = np.ones(mdp.n_pairs) if half_widths is None else half_widths
    frozen_rewards = np.where(mdp.terminal[mdp.pair_states], 0.0, widths)
    solution = solve(mdp.with_rewards(frozen_rewards), tolerance=tight_tolerance(widths, 1e-12))
    error = solution.error_bound
    reach = np.nextafter(solution.q_values + error, np.inf) if error > 0.0 else solution.q_values
    return frozen(np.where(mdp.terminal[mdp.pair_states], 0.0, reach))
