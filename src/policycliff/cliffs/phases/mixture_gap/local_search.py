"""A good policy where there are too many to enumerate: single changes of action that help, from the effective policy.

Changing one action helps exactly if sum_k p_k x_k(s) A_k(s, a) > 0, x_k the visits of class k.
"""

import numpy as np

from policycliff.cliffs.phases.mixture_gap.classes import Classes, Found, as_policy, mixture_return
from policycliff.policies.occupancy import state_visits
from policycliff.shapes import Int64
from policycliff.values.evaluation import evaluate

SWEEPS = 1000


def best_by_search(classes: Classes, effective: Int64[np.ndarray, " states"], ceiling: float) -> Found:
    """Single changes of action from the effective policy, the one that promises most, as long as they help."""
    mdp, best = classes.mdp, effective
    lower, worst = mixture_return(classes, best)
    top = lower
    for _ in range(SWEEPS):
        gains, policy = np.zeros(mdp.n_pairs), as_policy(mdp, best)
        for mass, reward in zip(classes.mass, classes.rewards, strict=True):
            visits = state_visits(mdp, policy, initial=mass)
            gains += visits[mdp.pair_states] * evaluate(mdp, policy, rewards=reward).advantages(mdp)
        pair = int(np.argmax(gains))
        trial = best.copy()
        trial[mdp.pair_states[pair]] = pair
        value, slack = mixture_return(classes, trial)
        worst = max(worst, slack)
        if value <= top + 2.0 * worst:
            break
        best, top = trial, value
    low = max(top - lower - 2.0 * worst, 0.0)
    return Found(effective, best, lower, top, None, (low, max(ceiling - lower + worst, low)), worst)
