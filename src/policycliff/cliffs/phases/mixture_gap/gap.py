"""The gap of Remark 4.1: the policy of the effective reward against the optimum of the mixture objective.

Prompt classes k of share p_k start in mu_k and are paid R_k. The mixture objective is F(pi) = sum_k p_k J_k(pi), with
J_k the return from mu_k under R_k; the effective reward is sum_k p_k R_k. The agent sees the state, not the class. From
the least to the most that is known to it,

    effective <= stationary <= start remembered <= class seen:

the policy that is optimal for the effective reward; the best stationary policy; the best policy that remembers its
first state s0, which is all that states and actions say about the class, as the kernel is the same for all (one MDP
for each s0, with the weights P(k | s0)); the best policy of each class. With one shared start the first three agree.

A stochastic policy is no better than a deterministic one. Change a policy in one state only, pi(.|s) by d: since all
classes share the kernel, each J_k changes by x_k(s) (A_k . d) / (1 - gamma (P d) M e_s), with one denominator, which is
positive. So F is linear over linear in pi(.|s), and largest at a single action; state by state, nothing is lost. (With
kernels that differ between classes this fails.) The best stationary policy is thus found among the deterministic ones:
by enumeration where they are few, in floats with a bound and then among those that come near in fractions. Else it is
bracketed: from below by local search (a change of one action helps exactly if sum_k p_k x_k(s) A_k(s, a) > 0), from
above by what remembering the start earns.

Cost: one evaluation a policy. Source: paper, Remark 4.1.
"""

from math import prod
from typing import Any

import numpy as np

from policycliff.cliffs.phases.mixture_gap.ceilings import ceilings
from policycliff.cliffs.phases.mixture_gap.classes import as_policy, make_classes
from policycliff.cliffs.phases.mixture_gap.enumeration import best_by_enumeration
from policycliff.cliffs.phases.mixture_gap.local_search import best_by_search
from policycliff.cliffs.phases.mixture_gap.result import MixtureGap
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.values.exact import fits_exact
from policycliff.values.solve import solve, tight_tolerance

EXACT, BRACKET = "exact", "bracket"


def mixture_gap(mdp: MDP, rewards: Any, *, starts: Any, proportions: Any, max_policies: int = 100_000) -> MixtureGap:
    """What the policy of the effective reward loses where prompt classes start differently (Remark 4.1).

    Args:
        mdp: the MDP; its own reward and initial distribution play no part.
        rewards: K rewards, one a class, (K, pairs) or (K, S, A), 0 at terminal states.
        starts: (K, S) initial distribution of each class.
        proportions: (K,) shares of the classes, at least 0 and with sum 1.
        max_policies: enumerate deterministic policies up to so many, else bracket.

    Returns:
        A `MixtureGap`.

    Raises:
        InvalidInputError: an argument of the wrong shape, or no distribution.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, mixture_gap
        >>> kernel = np.zeros((3, 2, 3))
        >>> kernel[:2, :, 2] = 1.0
        >>> mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 0.5, terminal=np.array([False, False, True]))
        >>> first, second = [[1, 0], [3, 0], [0, 0]], [[0, 3], [0, 1], [0, 0]]
        >>> mixture_gap(mdp, [first, second], starts=np.eye(3)[:2], proportions=[0.5, 0.5])
        MixtureGap(1, exact: effective 0, stationary 1, start remembered 1, class seen 1; 2 states differ)
    """
    check_mdp(mdp)
    classes = make_classes(mdp, rewards, starts, proportions)
    if as_integer("max_policies", max_policies) < 0:
        raise fail(got=f"max_policies = {max_policies}", expected="0 or more", remedy="Leave it out.")
    mixed = classes.shares @ classes.rewards
    solution = solve(mdp.with_rewards(mixed), tolerance=tight_tolerance(mixed))
    effective = np.flatnonzero(solution.policy)
    remembered, seen, ceiling_error = ceilings(classes)
    count = prod(np.diff(mdp.offsets).tolist())
    if count <= max_policies and fits_exact(mdp):
        found = best_by_enumeration(classes, effective)
    else:
        found, count = best_by_search(classes, effective, remembered + ceiling_error), 0
    low, high = found.bracket
    return MixtureGap(
        gap=low,
        bracket=(low, high),
        effective_return=found.lower,
        effective_range=found.spread,
        stationary_return=found.top,
        remembered_return=max(remembered, found.top),
        class_seen_return=max(seen, found.top),
        effective_policy=as_policy(mdp, found.effective),
        stationary_policy=as_policy(mdp, found.best),
        states=frozen(np.flatnonzero(found.effective != found.best)),
        error_bound=max(found.error, ceiling_error),
        policies=count,
        status=BRACKET if count == 0 else EXACT,
    )
