"""How far a reward is from the cliff: the exact stability radius of the optimal policy.

Theory. Let pi be the unique optimal policy and M = (I - gamma P_pi)^-1. The advantage of a pair (s, a) under R + D is
linear in D with coefficients d: 1 on (s, a) itself and row(s, a)[s'] on (s', pi(s')), where
row(s, a) = (gamma P(s, a, .) - e_s) M. So pi stays optimal everywhere for all ||D||_inf <= e exactly while
e <= rho(s, a) = (V*(s) - Q*(s, a)) / (1 + ||row(s, a)||_1) for all pairs. The radius is the least rho, its witness
D = rho * sign(d) ties that pair, and just beyond it the pair is better. With half-widths u the ball is
|D| <= e * u and the norm is that of u * d; with the 2-norm it is ||u * d||_2. Rewards of terminal states do not move.

What Proposition 2.4 alone certifies is gap (1 - gamma) / 2 (at gamma = 1: gap over twice the longest path); the
radius is never less. For the plain ball it is never more than gap / 2 where no state is terminal, because row(s, a)
then sums to -1; with frozen rewards of terminal states only the gap itself bounds it.

Reachable states only is another question: which perturbation changes what happens from the initial distribution? It is
the least (J_pi - J_other) / ||x_other - x_pi|| over policies with another occupancy x. On a deterministic tree this is
computed exactly, leaf by leaf; elsewhere it is bracketed by the radius everywhere and the least rho over states that pi
reaches.

Cost. Pairs are taken by ascending gap, one row of the resolvent each, until the bound of Proposition 2.4 for the
next pair exceeds the best value found: usually a few rows.

Sources: paper, Proposition 2.4 and Theorem 2.7; sensitivity analysis of linear programs; Ng and Russell (2000).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.cliffs.search import Found, Search, make_search
from policycliff.cliffs.tree_radius import tree_radius
from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import reached_states
from policycliff.mdp.messages import as_float_vector, check_finite, check_mask, check_shape, fail
from policycliff.mdp.model import MDP
from policycliff.values.exact import EXACT_LIMIT
from policycliff.values.solve import solve

# Unresolved states of MDPs up to this size are decided in rational arithmetic.
AUTOMATIC_EXACT_LIMIT = min(40, EXACT_LIMIT)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StabilityRadius:
    """Distance from a reward to the nearest change of the optimal policy.

    Attributes:
        radius: the radius, in units of reward (of `half_widths` where given). Where status is "bracket" or "unresolved"
            it is the lower end of `bracket`; inf where no allowed perturbation changes the policy.
        bracket: (low, high), which contains the true radius; nearly equal where status is "exact".
        lower_bound: what Proposition 2.4 alone certifies.
        witness: (pairs,) a perturbation of that norm after which the minimiser is tied.
        state: state of the minimiser, -1 if there is none.
        action: its action index, -1 if there is none.
        status: "exact"; "tied" (the optimum is tied: radius 0); "unresolved" (a gap is below the solver's error, so
            the radius may be 0); "bracket" (reachable states only, not a tree).
        norm: "inf" or "2".
        reachable_only: whether only behaviour from the initial distribution counts.
        rows_solved: rows of the resolvent that were needed.
    """

    radius: float
    bracket: tuple[float, float]
    lower_bound: float
    witness: Float64[np.ndarray, " pairs"]
    state: int
    action: int
    status: str
    norm: str
    reachable_only: bool
    rows_solved: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "radius": _finite(self.radius),
            "bracket": [_finite(end) for end in self.bracket],
            "lower_bound": _finite(self.lower_bound),
            "witness": self.witness.tolist(),
            "state": self.state,
            "action": self.action,
            "status": self.status,
            "norm": self.norm,
            "reachable_only": self.reachable_only,
            "rows_solved": self.rows_solved,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.state >= 0 else "no pair"
        scope = ", reachable states only" if self.reachable_only else ""
        return (
            f"StabilityRadius({self.radius:.6g} in the {self.norm}-norm, {self.status}{scope}; at {where}; "
            f"between {self.bracket[0]:.6g} and {self.bracket[1]:.6g}; Prop 2.4 alone gives {self.lower_bound:.4g})"
        )


def stability_radius(
    mdp: MDP,
    *,
    mask: Any = None,
    half_widths: Any = None,
    norm: str = "inf",
    reachable_only: bool = False,
) -> StabilityRadius:
    """The largest e such that the optimal policy stays optimal for every reward within e (beyond Prop 2.4: exact).

    Args:
        mdp: the MDP.
        mask: (pairs,) boolean: the pairs whose reward may change; by default all.
        half_widths: (pairs,) at least 0: how uncertain each reward is, relative to the others; the ball is
            |D(s, a)| <= e * half_widths(s, a). Give this or `mask`.
        norm: "inf" (largest change) or "2" (Euclidean).
        reachable_only: ask for a change of what happens from the initial distribution only.

    Returns:
        A `StabilityRadius`; 0 where the optimum is tied and an allowed perturbation breaks the tie.

    Raises:
        InvalidInputError: an argument is wrong, or `reachable_only` for an MDP without initial distribution.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, stability_radius
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.4, 0.0]], 0.0)
        >>> result = stability_radius(bandit)
        >>> round(result.radius, 9), result.witness.round(9)
        (0.3, array([-0.3,  0.3,  0. ]))
    """
    if norm not in {"inf", "2"}:
        raise fail(got=f"norm = {norm!r}", expected="'inf' or '2'", remedy="Choose one.")
    if reachable_only and mdp.initial is None:
        raise fail(
            got="reachable_only=True for an MDP without initial distribution",
            expected="`initial`, from which reachability is counted",
            remedy="Build the MDP with initial=....",
        )
    widths = _half_widths(mdp, mask, half_widths)
    solution = solve(mdp, tolerance=1e-13)
    actions = optimal_actions(solution)
    if not actions.is_resolved and mdp.n_states <= AUTOMATIC_EXACT_LIMIT:
        actions = optimal_actions(solution, exact=True)
    search = make_search(solution, actions, widths, norm=norm)
    if not reachable_only:
        return _result(search, actions, search.run(None), reachable_only=False)
    return _reachable(search, actions)


def _reachable(search: Search, actions: OptimalActions) -> StabilityRadius:
    """Exact on a deterministic tree, a bracket elsewhere."""
    mdp = search.mdp
    on_tree = tree_radius(search)
    if on_tree is not None:
        return _result(search, actions, on_tree, reachable_only=True)
    everywhere = search.run(None)
    chain = search.resolvent.chain
    seeds = np.zeros(mdp.n_states, dtype=bool) if mdp.initial is None else mdp.initial > 0.0
    visited = reached_states(chain.indptr, chain.successors, seeds)
    reached = search.run(visited)
    low, high = everywhere.bracket[0], reached.bracket[1]
    found = Found(
        radius=low,
        bracket=(low, high),
        pair=reached.pair,
        witness=reached.witness,
        status="bracket",
        rows_solved=everywhere.rows_solved + reached.rows_solved,
    )
    return _result(search, actions, found, reachable_only=True)


def _result(search: Search, actions: OptimalActions, found: Found, *, reachable_only: bool) -> StabilityRadius:
    """The public result of a search."""
    mdp = search.mdp
    return StabilityRadius(
        radius=found.radius,
        bracket=found.bracket,
        lower_bound=search.certified_bound(actions),
        witness=frozen(found.witness),
        state=int(mdp.pair_states[found.pair]) if found.pair >= 0 else -1,
        action=int(mdp.actions[found.pair]) if found.pair >= 0 else -1,
        status=found.status,
        norm=search.norm,
        reachable_only=reachable_only,
        rows_solved=found.rows_solved,
    )


def _half_widths(mdp: MDP, mask: Any, half_widths: Any) -> Float64[np.ndarray, " pairs"]:
    """Half-widths over pairs, 0 at terminal states."""
    if mask is not None and half_widths is not None:
        raise fail(got="both `mask` and `half_widths`", expected="at most one", remedy="Set half-widths to 0 instead.")
    if mask is not None:
        widths = check_mask("mask", mask, (mdp.n_pairs,), meaning="one entry a pair").astype(np.float64)
    elif half_widths is not None:
        widths = as_float_vector("half_widths", half_widths).copy()
        check_shape("half_widths", widths, (mdp.n_pairs,), meaning="one number a pair")
        check_finite("half_widths", widths)
        if (widths < 0.0).any():
            raise fail(
                got=f"half-width {widths.min()} at pair {int(widths.argmin())}",
                expected="at least 0",
                remedy="A half-width of 0 freezes the reward.",
            )
    else:
        widths = np.ones(mdp.n_pairs)
    widths[mdp.terminal[mdp.pair_states]] = 0.0
    return widths


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
