"""How far a reward is from the cliff: the exact stability radius of the optimal policy.

Theory. Let pi be the unique optimal policy and M = (I - gamma P_pi)^-1. The advantage of a pair (s, a) under R + D is
linear in D with coefficients d: 1 on (s, a) itself and row(s, a)[s'] on (s', pi(s')), where row(s, a) = (gamma P(s, a,
.) - e_s) M. So pi stays optimal everywhere for all ||D||_inf <= e exactly while e <= rho(s, a) = (V*(s) - Q*(s, a)) /
(1 + ||row(s, a)||_1) for all pairs. The radius is the least rho, its witness D = rho * sign(d) ties that pair, and
just beyond it the pair is better. With half-widths u the ball is |D| <= e * u and the norm is that of u * d; with the
2-norm it is ||u * d||_2. Rewards of terminal states do not move. What else may move (components of a reward tuple)
comes down to half-widths: `allowed_changes`. Mixture weights: `weight_radius`.

What Proposition 2.4 alone certifies is gap (1 - gamma) / 2 (at gamma = 1: gap over twice the longest path); the
radius is never less. For the plain ball it is never more than gap / 2 where no state is terminal, because row(s, a)
then sums to -1; with frozen rewards of terminal states only the gap itself bounds it.

Reachable states only is another question: which perturbation changes what happens from the initial distribution? It is
the least (J_pi - J_other) / ||x_other - x_pi|| over policies with another occupancy x. On a deterministic tree this is
computed exactly, leaf by leaf; elsewhere it is bracketed by the radius over the states that some policy reaches (while
it holds, pi stays optimal on all of them) and the least rho over states that pi itself reaches; often both are the
same pair.

State by state, the least rho at s is how far the reward is from making some action of s better than pi(s) *if pi is
followed everywhere else*. Below the least of these numbers over the states that can be reached from s, pi stays
optimal at s; beyond the number of s itself pi can stop being optimal from s. In between, another state may have
flipped first.

Cost. One solve, one evaluation for the bounds, and one row of the resolvent a pair, by ascending lower bound, until no
later pair can be less: usually a few rows. State by state: at least one row for each state that has a choice.

Sources: paper, Proposition 2.4 and Theorem 2.7; sensitivity analysis of linear programs; Ng and Russell (2000).
"""

from typing import Any, Literal, overload

import numpy as np

from policycliff.cliffs.radius.allowed_changes import check_moving, make_changes, make_tuple
from policycliff.cliffs.radius.gaps import make_gaps
from policycliff.cliffs.radius.reached import reached_from_start
from policycliff.cliffs.radius.result import StabilityRadius
from policycliff.cliffs.radius.search import Found, Search, make_search
from policycliff.cliffs.radius.tree_radius import tree_radius
from policycliff.cliffs.radius.weight_radius import WeightRadius, weight_radius
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_choice, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64


@overload
def stability_radius(
    mdp: MDP,
    *,
    mask: Any = None,
    half_widths: Any = None,
    norm: str = "inf",
    reachable_only: bool = False,
    rewards: Any = None,
    weights: Any = None,
    moving: Literal["reward", "component", "components"] = "reward",
    component: int | None = None,
    per_state: bool = False,
    exact: bool = False,
) -> StabilityRadius: ...


@overload
def stability_radius(
    mdp: MDP,
    *,
    norm: str = "inf",
    reachable_only: bool = False,
    rewards: Any = None,
    weights: Any = None,
    moving: Literal["weights"],
    exact: bool = False,
) -> WeightRadius: ...


def stability_radius(
    mdp: MDP,
    *,
    mask: Any = None,
    half_widths: Any = None,
    norm: str = "inf",
    reachable_only: bool = False,
    rewards: Any = None,
    weights: Any = None,
    moving: str = "reward",
    component: int | None = None,
    per_state: bool = False,
    exact: bool = False,
) -> StabilityRadius | WeightRadius:
    """The largest e such that the optimal policy stays optimal for every reward within e (beyond Prop 2.4: exact).

    Args:
        mdp: the MDP.
        mask: (pairs,) boolean: the pairs whose reward may change; by default all.
        half_widths: (pairs,) at least 0: how uncertain each reward is, relative to the others; the ball is
            |D(s, a)| <= e * half_widths(s, a). Give this or `mask`.
        norm: "inf" (largest change), "2" (Euclidean), or for weights "1" too.
        reachable_only: ask for a change of what happens from the initial distribution only.
        rewards: (K, pairs) or (K, S, A) components; the reward is then their float64 mixture, not the MDP's own.
        weights: (K,) or (K, S) their weights.
        moving: what may change: the "reward"; one "component" of the tuple; all "components", each within e ("2": all
            together within e); or only the "weights", with sum 0 in each state and no weight below 0.
        component: the index of the component that moves.
        per_state: fill `state_radii` as well; at least one linear solve a state.
        exact: decide ties and compute rho in rational arithmetic (up to 200 states; 20,000 where acyclic).

    Returns:
        A `StabilityRadius` (a `WeightRadius` if the weights move); 0 where the optimum is tied and an allowed
        perturbation breaks the tie. `bracket` contains the true radius.

    Raises:
        InvalidInputError: an argument is wrong, `reachable_only` for an MDP without initial distribution, or `exact`
        for
            one that is too large.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, stability_radius
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.4, 0.0]], 0.0)
        >>> result = stability_radius(bandit)
        >>> round(result.radius, 9), result.witness.round(9)
        (0.3, array([-0.3,  0.3,  0. ]))
    """
    check_mdp(mdp)
    if reachable_only and mdp.initial is None:
        raise fail(
            got="reachable_only=True for an MDP without initial distribution",
            expected="`initial`, from which reachability is counted",
            remedy="Build the MDP with initial=....",
        )
    world, group = make_tuple(mdp, rewards, weights)
    check_moving(moving, component, group)
    if moving == "weights" and group is not None:
        _refuse_with_weights(mask=mask, half_widths=half_widths, per_state=per_state)
        return weight_radius(world, group, norm=norm, reachable_only=reachable_only, exact=exact)
    check_choice("norm", norm, ("inf", "2"))
    changes = make_changes(
        world, group, mask=mask, half_widths=half_widths, norm=norm, moving=moving, component=component
    )
    search = make_search(make_gaps(world, exact=exact), changes)
    found = _reachable(search) if reachable_only else search.run()
    radii, rows = search.state_radii() if per_state else (None, 0)
    return _result(search, found, moving=moving, reachable_only=reachable_only, radii=radii, extra_rows=rows)


def _reachable(search: Search) -> Found:
    """Exact on a deterministic tree, elsewhere a bracket, which closes if one pair is the least of both searches."""
    mdp = search.mdp
    on_tree = tree_radius(search)
    if on_tree is not None:
        return on_tree
    outer, inner = reachable_sets(search)
    wide, near = search.run(outer), search.run(inner)
    rows = wide.rows_solved + near.rows_solved
    if wide.status != "unresolved" and wide.pair == near.pair:
        return Found(near.radius, near.bracket, near.pair, near.witness, near.status, rows)
    low, high = wide.bracket[0], near.bracket[1]
    if near.status == "unresolved" and mdp.initial is not None:
        # Which states are reached is then not known either, but for those of the initial distribution.
        high = search.policy_free_bound(mdp.initial > 0.0)
    return Found(low, (low, high), near.pair, near.witness, "bracket", rows)


def reachable_sets(search: Search) -> tuple[np.ndarray, np.ndarray]:
    """States (masks) that some policy reaches from the initial distribution, and those that the optimal one reaches."""
    mdp, chain = search.mdp, search.resolvent.chain
    return reached_from_start(mdp, chain)


def _refuse_with_weights(**given: Any) -> None:
    """Raise if an option of the reward ball is given where only weights move."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise fail(
                got=f"`{name}` with moving = 'weights'",
                expected="no such option: weights move, rewards do not",
                remedy=f"Drop `{name}`.",
            )


def _result(
    search: Search,
    found: Found,
    *,
    moving: str,
    reachable_only: bool,
    radii: Float64[np.ndarray, " states"] | None,
    extra_rows: int,
) -> StabilityRadius:
    """The public result of a search."""
    mdp = search.mdp
    return StabilityRadius(
        radius=found.radius,
        bracket=found.bracket,
        lower_bound=search.certified_bound(),
        witness=frozen(found.witness),
        component_witness=search.changes.components(found.witness),
        state=int(mdp.pair_states[found.pair]) if found.pair >= 0 else -1,
        action=int(mdp.actions[found.pair]) if found.pair >= 0 else -1,
        status=found.status,
        norm=search.changes.norm,
        moving=moving,
        reachable_only=reachable_only,
        rows_solved=found.rows_solved + extra_rows,
        state_radii=None if radii is None else frozen(radii),
    )
