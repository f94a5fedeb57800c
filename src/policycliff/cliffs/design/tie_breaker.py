"""Tie-breaker design: the least change of the reward that makes a target policy uniquely optimal (Result 7).

Theory. With c(s, a) = e_(s, a) + gamma P(s, a, .) M E_pi - e_s M E_pi, rows built for the target pi, the advantage of
(s, a) under R is c(s, a) . R. The task is min ||D|| subject to c(s, a) . (R + D) <= -margin for every other pair. It
is written in D and V together (`task`), which keeps it as sparse as the kernel.

Between which numbers the sup-norm size lies. With G(s, a) = max(c(s, a) . R + margin, 0), Hoelder's inequality gives
size >= max G / ||c||_1. From above: lowering every other pair by max G suffices. Where no state is terminal, raising
all target pairs by max G / 2 and lowering all others by as much suffices too, because a constant on the target pairs
raises V by delta / (1 - gamma) everywhere. **With terminal states, whose rewards are frozen, the size can exceed max
G / 2**: one state, gamma = 1/2, stopping (the target) pays 0 and staying 1. G = 1, c is 1 on staying and -1/2 on
stopping, the size 2/3.

Which states count. Everywhere, or with `reachable_only` those that the target reaches from the initial distribution:
what is done elsewhere is then free, and the size is never larger. From a true reward only these count.

Cost: a sparse program up to 3000 states, descent beyond where every reward may change (2-norm: always). Sources: Ma et
al. (2019); Rakhsha et al. (2020); they fix the target everywhere.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from policycliff.cliffs.degeneracy.optimal_sets import reached_within
from policycliff.cliffs.design.arguments import check_allowed, check_features, check_margin, check_norm, check_target
from policycliff.cliffs.design.result import TieBreakerDesign
from policycliff.cliffs.design.search import Found, find_change
from policycliff.cliffs.design.targets import best_targets
from policycliff.cliffs.design.task import DesignTask
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_flag, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import start_distribution
from policycliff.shapes import Bool, Float64

NAMED = 3


def design_tie_breaker(
    mdp: MDP,
    target_policy: Any = None,
    margin: float | None = None,
    norm: str = "inf",
    *,
    allowed: Any = None,
    features: Any = None,
    measure: str = "change",
    true_rewards: Any = None,
    reachable_only: bool = False,
) -> TieBreakerDesign:
    """The least D such that the target is the only optimal policy of R + D, with this margin (Result 7).

    min ||D|| subject to A(s, a; R + D) <= -margin for all (s, a) that the target does not take.

    Args:
        mdp: the MDP with the reward to be changed.
        target_policy: (pairs,) a deterministic policy. Give this or `true_rewards`.
        margin: least amount by which other actions are to be worse, in units of reward, at least 0 (at 0 the target
            becomes optimal, perhaps tied); by default 1 % of the largest reward.
        norm: "inf" (the largest single change), "1" (their sum) or "2".
        allowed: (pairs,) boolean: the pairs whose reward may change; by default all but those of terminal states.
        features: (features, pairs): the change is then a linear combination of these (0 outside `allowed`).
        measure: with features, whether the norm is that of the "change" or of the "coefficients".
        true_rewards: what is really wanted, over pairs, states or (S, A). The target is then a policy that attains the
            best true return among those optimal for the MDP's reward (Result 6), and only states that it reaches count.
        reachable_only: only states that the target reaches from the initial distribution count.

    Returns:
        A `TieBreakerDesign`; `attained_margin`, `lower_bound` and `is_unique` are proven, rounding included.

    Raises:
        InvalidInputError: a policy that is stochastic or none, a negative margin, another norm, a bad mask, dependent
            features, both targets or none, or no initial distribution where one is needed.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, design_tie_breaker
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
        >>> design = design_tie_breaker(bandit, [0.0, 1.0], 0.5)
        >>> round(design.size, 9), design.change.round(9)
        (0.75, array([-0.75,  0.75]))
    """
    check_mdp(mdp)
    check_flag("reachable_only", reachable_only)
    if (target_policy is None) == (true_rewards is None):
        raise fail(
            got="neither `target_policy` nor `true_rewards`" if true_rewards is None else "both targets",
            expected="one of them",
            remedy="A true reward chooses the target itself.",
        )
    task = _task(mdp, margin=margin, norm=norm, allowed=allowed, features=features, measure=measure)
    if true_rewards is not None:
        start_distribution(mdp)
        return _from_truth(task, true_rewards)
    policy = check_target(target_policy, mdp)
    if reachable_only:
        start_distribution(mdp)
    counts = reached_within(mdp, policy > 0.0) if reachable_only else np.ones(mdp.n_states, dtype=bool)
    return _design(_aimed(task, policy, counts), reachable_only=reachable_only)


def _task(mdp: MDP, *, margin: Any, norm: Any, allowed: Any, features: Any, measure: Any) -> DesignTask:
    """The task without its target."""
    free = check_allowed(allowed, mdp)
    return DesignTask(
        mdp=mdp,
        policy=frozen(np.zeros(mdp.n_pairs)),
        counts=frozen(np.ones(mdp.n_states, dtype=bool)),
        margin=check_margin(margin, mdp),
        free=frozen(free),
        features=check_features(features, measure, mdp, free),
        norm=check_norm(norm),
        measure=measure,
    )


def _aimed(task: DesignTask, policy: Float64[np.ndarray, " pairs"], counts: Bool[np.ndarray, " states"]) -> DesignTask:
    return replace(task, policy=policy, counts=frozen(counts))


def _from_truth(task: DesignTask, true_rewards: Any) -> TieBreakerDesign:
    """The cheapest design over the targets that attain the best true return."""
    targets, complete = best_targets(task.mdp, true_rewards)
    designs = [
        _design(_aimed(task, policy, reached_within(task.mdp, policy > 0.0)), reachable_only=True) for policy in targets
    ]
    best = min(designs, key=lambda design: (design.size, -design.attained_margin))
    if not complete:
        return replace(best, scope="one best policy")
    lower = min(design.lower_bound for design in designs)
    status = "bracket" if best.status == "solved" and lower < best.lower_bound * (1.0 - 1e-6) else best.status
    return replace(best, scope="every best policy", lower_bound=lower, status=status)


def _design(task: DesignTask, *, reachable_only: bool) -> TieBreakerDesign:
    """The public result for one target."""
    found = find_change(task)
    return TieBreakerDesign(
        status=found.status,
        target_policy=task.policy,
        rewards=frozen(task.mdp.rewards + found.change),
        change=frozen(found.change),
        coefficients=None if found.coefficients is None else frozen(found.coefficients),
        norm=task.norm,
        measure=task.measure,
        size=found.size,
        lower_bound=found.lower,
        margin=task.margin,
        attained_margin=found.attained,
        is_unique=found.attained > 0.0,
        reachable_only=reachable_only,
        changed=frozen(np.flatnonzero(found.change)),
        active_rivals=frozen(found.active),
        largest_margin=found.largest_margin,
        scope="target",
        reason=_reason(task, found),
    )


def _reason(task: DesignTask, found: Found) -> str:
    """One sentence on the outcome."""
    if found.status == "impossible":
        return _obstacle(task, found)
    if found.status == "unresolved" and np.isfinite(found.size):
        missed = task.margin - found.attained
        less = "Ask for that much less." if task.margin > missed else "Rounding hides whether the target ties."
        return f"The change is not proven to attain the margin: up to {missed:.1e} is missing. {less}"
    if found.status == "unresolved":
        return "The solver reached no change with the margin; try a smaller margin or more allowed pairs."
    if found.size == 0.0:
        return "The target is optimal with this margin already."
    if found.active.size == 0:
        return "The change does it."
    return f"Held up by {_named(task, found)}."


def _obstacle(task: DesignTask, found: Found) -> str:
    """Why no allowed change does it: one pair that nothing moves, or several whose demands collide."""
    most = found.largest_margin if found.largest_margin is not None else -np.inf
    at_best = f"the best that allowed changes attain is a margin of {most:.4g}"
    if found.active.size == 1:
        return f"No allowed change affects the advantage of {_named(task, found)}; {at_best}."
    return f"The demands on {_named(task, found)} collide: no allowed change meets them together; {at_best}."


def _named(task: DesignTask, found: Found) -> str:
    mdp = task.mdp
    names = [
        f"{mdp.action_name(pair)} at {mdp.state_name(int(mdp.pair_states[pair]))}"
        for pair in found.active[:NAMED].tolist()
    ]
    more = found.active.size - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
