"""The radius over reachable behaviour on a deterministic tree: leaf by leaf, exactly.

On a tree another occupancy from a prompt is another leaf (or a mixture of leaves, which is never nearer). Both paths
part at one state; from there on they share nothing, so the norm of the change of occupancy is the discounted number of
steps of both, weighted by half-widths, and rho of a leaf is (return gap) / (that norm). Prompts do not interact: the
radius is the least over prompts. Cost: O(nodes).
"""

import numpy as np

from policycliff.cliffs.radius.kernels import is_tree, tree_alternatives
from policycliff.cliffs.radius.search import Found, Search
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.operator import UNIT_ROUNDOFF


def tree_radius(search: Search) -> Found | None:
    """The exact radius over reachable behaviour, or None where the MDP is not a deterministic tree."""
    mdp = search.mdp
    if mdp.initial is None or mdp.order is None:
        return None
    if not is_tree(mdp.indptr, mdp.successors, mdp.probabilities, mdp.offsets, mdp.terminal, mdp.initial):
        return None
    gaps = search.gaps
    low = _alternatives(search, gaps.low)[0]
    high = _alternatives(search, np.where(gaps.rivals, gaps.high, 0.0))[0]
    radius, leaving, final = _alternatives(search, gaps.gaps)
    if np.isinf(radius):
        return Found(radius, (radius, radius), -1, np.zeros(mdp.n_pairs), "exact", 0)
    status = "tied" if high == 0.0 else "unresolved" if low == 0.0 else "exact"
    reported = radius if status == "exact" else 0.0
    # A ratio of sums and powers of non-negative numbers, with at most two roundings a step.
    rounding = 4.0 * (mdp.n_states + 4.0) * UNIT_ROUNDOFF
    bracket = (low * (1.0 - rounding), high * (1.0 + rounding))
    return Found(reported, bracket, leaving, _witness(search, leaving, final, reported), status, 0)


def _alternatives(search: Search, gaps: Float64[np.ndarray, " pairs"]) -> tuple[float, int, int]:
    """The nearest other leaf for these gaps: its ratio, the pair that leaves the path, its last pair."""
    mdp = search.mdp
    initial = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    ratio, leaving, final = tree_alternatives(
        mdp.offsets,
        mdp.indptr,
        mdp.successors,
        mdp.gamma,
        search.gaps.best,
        frozen(gaps),
        search.half_widths,
        1.0 if search.changes.norm == "inf" else 2.0,
        np.flatnonzero((initial > 0.0) & ~mdp.terminal),
    )
    return float(ratio), int(leaving), int(final)


def _witness(search: Search, leaving: int, final: int, radius: float) -> Float64[np.ndarray, " pairs"]:
    """The perturbation of this size that makes the other leaf as good: lower one path, raise the other."""
    mdp, owners = search.mdp, search.mdp.pair_states
    change = np.zeros(mdp.n_pairs)
    for sign, path in ((1.0, _way_down(mdp, leaving, final)), (-1.0, _followed(search, int(owners[leaving])))):
        change[path] = sign * mdp.gamma ** np.arange(len(path))
    weighted = search.half_widths * change
    if search.changes.norm == "inf":
        return np.asarray(radius * search.half_widths * np.sign(weighted))
    return np.asarray(radius * search.half_widths * weighted / np.sqrt((weighted**2).sum()))


def _way_down(mdp: MDP, leaving: int, final: int) -> list[int]:
    """The pairs from `leaving` to `final`."""
    parent = np.full(mdp.n_states, -1)
    inner = np.flatnonzero(~mdp.terminal[mdp.pair_states])
    parent[mdp.successors[mdp.indptr[inner]]] = inner
    owners, way = mdp.pair_states, [final]
    while way[-1] != leaving:
        way.append(int(parent[owners[way[-1]]]))
    return way[::-1]


def _followed(search: Search, state: int) -> list[int]:
    """The pairs of the optimal policy from a state on."""
    mdp, way = search.mdp, list[int]()
    while not mdp.terminal[state]:
        way.append(int(search.gaps.best[state]))
        state = int(mdp.successors[mdp.indptr[way[-1]]])
    return way
