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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

import numpy as np
from flint import fmpq
from jaxtyping import Float64, Int64

from policycliff.cliffs.phases.slices import check_weights
from policycliff.cliffs.radius.allowed_changes import make_tuple
from policycliff.cliffs.radius.result import finite
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_integer, check_distribution, check_shape, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import state_visits
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import ExactMDP, Rationals, fits_exact, make_exact, rationals
from policycliff.values.operator import UNIT_ROUNDOFF, amplification
from policycliff.values.solve import solve, tight_tolerance

EXACT, BRACKET = "exact", "bracket"
BATCH_ENTRIES = 2_000_000
NEAR_LIMIT = 2000
SWEEPS = 1000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixtureGap:
    """What the effective reward loses against the mixture objective, and why.

    Attributes:
        gap: stationary minus effective return; the lower end of `bracket` where status is "bracket".
        bracket: (low, high), which contains it.
        effective_return: mixture return of the policy that is optimal for the effective reward (the first one).
        effective_range: least and largest mixture return among all deterministic policies that are optimal for the
            effective reward in every state, where policies were enumerated; else None.
        stationary_return: the most that a policy of the state earns (status "bracket": that local search found).
        remembered_return: the most that a policy earns which remembers its first state.
        class_seen_return: the most that a policy earns which is told the class.
        effective_policy: (pairs,) the policy behind the first.
        stationary_policy: (pairs,) the deterministic policy behind the second.
        states: states in which the two policies differ.
        error_bound: each return is off by at most this.
        policies: deterministic policies that were compared; 0 where they are too many.
        status: "exact" (the best of all stationary policies, stochastic ones included) or "bracket".
    """

    gap: float
    bracket: tuple[float, float]
    effective_return: float
    effective_range: tuple[float, float] | None
    stationary_return: float
    remembered_return: float
    class_seen_return: float
    effective_policy: Float64[np.ndarray, " pairs"]
    stationary_policy: Float64[np.ndarray, " pairs"]
    states: Int64[np.ndarray, " some"]
    error_bound: float
    policies: int
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "gap": self.gap,
            "bracket": [finite(end) for end in self.bracket],
            "effective_return": self.effective_return,
            "effective_range": None if self.effective_range is None else list(self.effective_range),
            "stationary_return": self.stationary_return,
            "remembered_return": self.remembered_return,
            "class_seen_return": self.class_seen_return,
            "effective_policy": np.flatnonzero(self.effective_policy).tolist(),
            "stationary_policy": np.flatnonzero(self.stationary_policy).tolist(),
            "states": self.states.tolist(),
            "error_bound": finite(self.error_bound),
            "policies": self.policies,
            "status": self.status,
        }

    def __repr__(self) -> str:
        return (
            f"MixtureGap({self.gap:.6g}, {self.status}: effective {self.effective_return:.6g}, stationary "
            f"{self.stationary_return:.6g}, start remembered {self.remembered_return:.6g}, class seen "
            f"{self.class_seen_return:.6g}; {self.states.size} states differ)"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Classes:
    """Prompt classes: rewards (K, pairs), starts (K, S) and shares (K,)."""

    mdp: MDP
    rewards: Float64[np.ndarray, "classes pairs"]
    starts: Float64[np.ndarray, "classes states"]
    shares: Float64[np.ndarray, " classes"]

    @property
    def mass(self) -> Float64[np.ndarray, "classes states"]:
        """(K, S) p_k mu_k."""
        return np.asarray(self.shares[:, None] * self.starts)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The effective policy and the best one (a pair a state), their returns, and the interval of the gap."""

    effective: Int64[np.ndarray, " states"]
    best: Int64[np.ndarray, " states"]
    lower: float
    top: float
    spread: tuple[float, float] | None
    bracket: tuple[float, float]
    error: float


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
    classes = _make_classes(mdp, rewards, starts, proportions)
    if as_integer("max_policies", max_policies) < 0:
        raise fail(got=f"max_policies = {max_policies}", expected="0 or more", remedy="Leave it out.")
    mixed = classes.shares @ classes.rewards
    solution = solve(mdp.with_rewards(mixed), tolerance=tight_tolerance(mixed))
    effective = np.flatnonzero(solution.policy)
    remembered, seen, ceiling_error = _ceilings(classes)
    count = prod(np.diff(mdp.offsets).tolist())
    if count <= max_policies and fits_exact(mdp):
        found = _enumerate(classes, effective)
    else:
        found, count = _climb(classes, effective, remembered + ceiling_error), 0
    low, high = found.bracket
    return MixtureGap(
        gap=low,
        bracket=(low, high),
        effective_return=found.lower,
        effective_range=found.spread,
        stationary_return=found.top,
        remembered_return=max(remembered, found.top),
        class_seen_return=max(seen, found.top),
        effective_policy=_policy(mdp, found.effective),
        stationary_policy=_policy(mdp, found.best),
        states=frozen(np.flatnonzero(found.effective != found.best)),
        error_bound=max(found.error, ceiling_error),
        policies=count,
        status=BRACKET if count == 0 else EXACT,
    )


def _make_classes(mdp: MDP, rewards: Any, starts: Any, proportions: Any) -> _Classes:
    count = len(rewards) if hasattr(rewards, "__len__") else 0
    _, group = make_tuple(mdp, rewards, np.full(count, 1.0 / max(count, 1)))
    if group is None:
        raise TypeError("no reward tuple")
    shares = check_weights("proportions", proportions, count)
    table = as_float_vector("starts", starts)
    check_shape("starts", table, (count, mdp.n_states), meaning="one initial distribution a class")
    rows = [check_distribution(f"starts[{k}]", row, mdp.n_states) for k, row in enumerate(table)]
    return _Classes(mdp, group.rewards, frozen(np.array(rows)), frozen(shares / shares.sum()))


def _returns(classes: _Classes, best: Int64[np.ndarray, " states"]) -> tuple[float, float]:
    """The mixture return of a policy, with its error."""
    policy, total, error = _policy(classes.mdp, best), 0.0, 0.0
    for mass, reward in zip(classes.mass, classes.rewards, strict=True):
        found = evaluate(classes.mdp, policy, rewards=reward)
        total += float(mass @ found.values)
        size = float(mass @ np.abs(found.values))
        error += float(mass.sum()) * found.error_bound + (classes.mdp.n_states + 4.0) * UNIT_ROUNDOFF * size
    return total, error


def _ceilings(classes: _Classes) -> tuple[float, float, float]:
    """Returns with the start remembered and with the class seen, and the error of both."""
    mdp, mass, largest = classes.mdp, classes.mass, float(np.abs(classes.rewards).max())
    together = mass.sum(axis=0)
    remembered = seen = error = 0.0
    # States with the same posterior over classes share one MDP.
    seeds = np.flatnonzero(together > 0.0)
    posteriors, groups = np.unique((mass[:, seeds] / together[seeds]).T, axis=0, return_inverse=True)
    for index, posterior in enumerate(posteriors):
        start = np.zeros(mdp.n_states)
        start[seeds[groups.ravel() == index]] = together[seeds[groups.ravel() == index]]
        value, slack = _optimum(mdp, posterior @ classes.rewards, start, largest)
        remembered, error = remembered + value, error + slack
    for row, reward in zip(mass, classes.rewards, strict=True):
        value, slack = _optimum(mdp, reward, row, largest)
        seen, error = seen + value, max(error, slack)
    return remembered, seen, error * (len(mass) + 1.0)


def _optimum(
    mdp: MDP, reward: Float64[np.ndarray, " pairs"], start: Float64[np.ndarray, " states"], largest: float
) -> tuple[float, float]:
    """The optimal return and its error; `largest` is the largest reward of any class."""
    solution = solve(mdp.with_rewards(reward), tolerance=tight_tolerance(reward))
    # The reward is a mixture that was rounded, and so are the sums.
    formed = 2.0**-45 * largest * amplification(mdp)
    return float(start @ solution.values), float(start.sum()) * (solution.error_bound + formed)


def _enumerate(classes: _Classes, effective: Int64[np.ndarray, " states"]) -> _Found:
    """The best of all deterministic policies, in fractions, and the range of the effective ones."""
    exact = make_exact(classes.mdp)
    mass = [rationals(row) for row in classes.mass]
    rewards = [rationals(reward) for reward in classes.rewards]

    def worth(choice: tuple[int, ...]) -> fmpq:
        values = exact.values(choice, rewards)
        terms = (w * v for row, value in zip(mass, values, strict=True) for w, v in zip(row, value, strict=True) if w)
        return sum(terms, fmpq(0))

    sets = _effective_sets(classes, exact, rewards, effective)
    chosen = tuple(members[0] for members in sets)
    lower = worth(chosen)
    near, slack = _near_best(classes)
    ranked = [(worth(choice), choice) for choice in near]
    top, best = max([(lower, chosen), *ranked], key=lambda item: item[0])
    few = prod(len(members) for members in sets) <= NEAR_LIMIT
    own = [float(worth(choice)) for choice in product(*sets)] if few else []
    gap = float(top - lower)
    return _Found(
        effective=np.array(chosen),
        best=np.array(best),
        lower=float(lower),
        top=float(top),
        spread=(min(own), max(own)) if few else None,
        bracket=(gap, gap + slack),
        error=slack,
    )


def _effective_sets(
    classes: _Classes, exact: ExactMDP, rewards: list[Rationals], effective: Int64[np.ndarray, " states"]
) -> list[list[int]]:
    """The optimal pairs of each state under the effective reward."""
    shares, mdp = rationals(classes.shares), classes.mdp
    mixed = [sum((p * r[pair] for p, r in zip(shares, rewards, strict=True)), fmpq(0)) for pair in range(mdp.n_pairs)]
    _, values, q = exact.optimise(mixed, effective.tolist())
    return [[pair for pair in pairs if q[pair] == values[state]] for state, pairs in enumerate(_choices(mdp))]


def _choices(mdp: MDP) -> list[range]:
    """The pairs of each state."""
    return [range(first, last) for first, last in zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True)]


def _near_best(classes: _Classes) -> tuple[list[tuple[int, ...]], float]:
    """Policies whose return in floats is within the error of the best, by dense linear algebra in batches.

    With them, how much better than these any other policy can be: 0, unless they are too many to be looked at.
    """
    mdp = classes.mdp
    n, kernel, scale = mdp.n_states, mdp.transitions.toarray(), amplification(mdp)
    near: list[tuple[float, tuple[int, ...]]] = []
    top = -np.inf
    for batch in _batches(mdp, max(BATCH_ENTRIES // (n * n), 1)):
        system = np.eye(n) - mdp.gamma * kernel[batch]
        paid = classes.rewards.T[batch]
        values = np.linalg.solve(system, paid)
        left = np.abs(paid - system @ values).max(axis=(1, 2))
        sizes = np.abs(paid).max(axis=(1, 2)) + 2.0 * np.abs(values).max(axis=(1, 2))
        rounding = 2.0 * (n + 4.0) * UNIT_ROUNDOFF * sizes
        errors = (left + rounding) * scale + 2.0 * rounding
        totals = np.einsum("ks,bsk->b", classes.mass, values)
        top = max(top, float((totals - errors).max()))
        keep = np.flatnonzero(totals + errors >= top)
        near += [(float(totals[i] + errors[i]), tuple(batch[i].tolist())) for i in keep]
    left_over = sorted((item for item in near if item[0] >= top), key=lambda item: -item[0])
    slack = left_over[0][0] - top if len(left_over) > NEAR_LIMIT else 0.0
    return [choice for _, choice in left_over[:NEAR_LIMIT]], slack


def _batches(mdp: MDP, size: int) -> Iterator[Int64[np.ndarray, "batch states"]]:
    """All deterministic policies, as pairs."""
    choices = product(*_choices(mdp))
    while block := list(islice(choices, size)):
        yield np.array(block)


def _climb(classes: _Classes, effective: Int64[np.ndarray, " states"], ceiling: float) -> _Found:
    """Single changes of action from the effective policy, the one that promises most, as long as they help."""
    mdp, best = classes.mdp, effective
    lower, worst = _returns(classes, best)
    top = lower
    for _ in range(SWEEPS):
        gains, policy = np.zeros(mdp.n_pairs), _policy(mdp, best)
        for mass, reward in zip(classes.mass, classes.rewards, strict=True):
            visits = state_visits(mdp, policy, initial=mass)
            gains += visits[mdp.pair_states] * evaluate(mdp, policy, rewards=reward).advantages(mdp)
        pair = int(np.argmax(gains))
        trial = best.copy()
        trial[mdp.pair_states[pair]] = pair
        value, slack = _returns(classes, trial)
        worst = max(worst, slack)
        if value <= top + 2.0 * worst:
            break
        best, top = trial, value
    low = max(top - lower - 2.0 * worst, 0.0)
    return _Found(effective, best, lower, top, None, (low, max(ceiling - lower + worst, low)), worst)


def _policy(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Float64[np.ndarray, " pairs"]:
    policy = np.zeros(mdp.n_pairs)
    policy[best] = 1.0
    return frozen(policy)
