"""The best of all deterministic policies: in floats with a bound, then in fractions among those that come near.

Cost: one solve a policy, in dense batches up to 100 states, and one in fractions for each that the bound does not
exclude.
"""

from collections.abc import Iterator
from itertools import islice, product
from math import prod

import numpy as np
from flint import fmpq

from policycliff.cliffs.phases.mixture_gap.classes import Classes, Found, mixture_return
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.values.exact import ExactMDP, Rationals, make_exact, rationals
from policycliff.values.operator import UNIT_ROUNDOFF, amplification

Batch = Int64[np.ndarray, "batch states"]
Numbers = Float64[np.ndarray, " batch"]

# Up to so many states, many small dense systems at once are faster than sparse ones.
DENSE_LIMIT = 100
BATCH_ENTRIES, BATCH_POLICIES = 2_000_000, 1000
NEAR_LIMIT = 2000


def best_by_enumeration(classes: Classes, effective: Int64[np.ndarray, " states"]) -> Found:
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
    return Found(
        effective=np.array(chosen),
        best=np.array(best),
        lower=float(lower),
        top=float(top),
        spread=(min(own), max(own)) if few else None,
        bracket=(gap, gap + slack),
        error=slack,
    )


def _effective_sets(
    classes: Classes, exact: ExactMDP, rewards: list[Rationals], effective: Int64[np.ndarray, " states"]
) -> list[list[int]]:
    """The optimal pairs of each state under the effective reward."""
    shares, mdp = rationals(classes.shares), classes.mdp
    mixed = [sum((p * r[pair] for p, r in zip(shares, rewards, strict=True)), fmpq(0)) for pair in range(mdp.n_pairs)]
    _, values, q = exact.optimise(mixed, effective.tolist())
    return [[pair for pair in pairs if q[pair] == values[state]] for state, pairs in enumerate(_choices(mdp))]


def _choices(mdp: MDP) -> list[range]:
    """The pairs of each state."""
    return [range(first, last) for first, last in zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True)]


def _near_best(classes: Classes) -> tuple[list[tuple[int, ...]], float]:
    """Policies whose return in floats is within the error of the best.

    With them, how much better than these any other policy can be: 0, unless they are too many to be looked at.
    """
    n = classes.mdp.n_states
    size, returns = (max(BATCH_ENTRIES // (n * n), 1), _dense) if n <= DENSE_LIMIT else (BATCH_POLICIES, _sparse)
    near: list[tuple[float, tuple[int, ...]]] = []
    top = -np.inf
    for batch in _batches(classes.mdp, size):
        totals, errors = returns(classes, batch)
        top = max(top, float((totals - errors).max()))
        keep = np.flatnonzero(totals + errors >= top)
        near += [(float(totals[i] + errors[i]), tuple(batch[i].tolist())) for i in keep]
    left_over = sorted((item for item in near if item[0] >= top), key=lambda item: -item[0])
    slack = left_over[0][0] - top if len(left_over) > NEAR_LIMIT else 0.0
    return [choice for _, choice in left_over[:NEAR_LIMIT]], slack


def _dense(classes: Classes, batch: Batch) -> tuple[Numbers, Numbers]:
    """The mixture returns of a batch of policies and their errors, by dense linear algebra."""
    mdp = classes.mdp
    n, kernel, scale = mdp.n_states, mdp.transitions.toarray(), amplification(mdp)
    system = np.eye(n) - mdp.gamma * kernel[batch]
    paid = classes.rewards.T[batch]
    values = np.linalg.solve(system, paid)
    left = np.abs(paid - system @ values).max(axis=(1, 2))
    sizes = np.abs(paid).max(axis=(1, 2)) + 2.0 * np.abs(values).max(axis=(1, 2))
    rounding = 2.0 * (n + 4.0) * UNIT_ROUNDOFF * sizes
    errors = (left + rounding) * scale + 2.0 * rounding
    return np.einsum("ks,bsk->b", classes.mass, values), errors


def _sparse(classes: Classes, batch: Batch) -> tuple[Numbers, Numbers]:
    """The same, one policy after another."""
    totals, errors = zip(*(mixture_return(classes, best) for best in batch), strict=True)
    return np.array(totals), np.array(errors)


def _batches(mdp: MDP, size: int) -> Iterator[Batch]:
    """All deterministic policies, as pairs."""
    choices = product(*_choices(mdp))
    while block := list(islice(choices, size)):
        yield np.array(block)
