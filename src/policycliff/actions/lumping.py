"""Ties between different futures, proven by lumping states: symmetric worlds, grids, equal distances, zero rewards.

Pairs that are certified worse than another one cannot matter to V*, so only the others are looked at. States of equal
value are put together (`policycliff.actions.partition`), and two pairs with the same probability mass in each group
are compared by their rewards alone: equal rewards, equal Q*; a lesser one is not optimal.

All comparisons are of the stored float64 numbers as real numbers: three thirds as stored are two thirds and a third,
but 0.1 + 0.2 is not 0.3. Not proven are ties by coincidence, between futures that are built differently, and ties that
depend on pairs which the error of the solution cannot exclude.

Cost: nothing where nothing is unresolved; else see `policycliff.actions.partition`, for the pairs that are left.
"""

import numpy as np

from policycliff.actions.kernels import TIED, UNIQUE, UNRESOLVED
from policycliff.actions.partition import prove, refine, worthless_states
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool, Float64, Int8


def settle_by_lumping(
    mdp: MDP,
    *,
    values: Float64[np.ndarray, " states"],
    error: float,
    members: Bool[np.ndarray, " pairs"],
    codes: Int8[np.ndarray, " states"],
) -> None:
    """Update `members` and `codes` where states are unresolved and lumping decides.

    Args:
        mdp: the MDP.
        values: (states,) values within `error` of V*.
        error: their bound; where it is infinite nothing is done.
        members: (pairs,) which pairs may be optimal; contains all that are.
        codes: (states,) what is known, see `policycliff.actions.optimal`.
    """
    if not ((codes == UNRESOLVED).any() and np.isfinite(error)):
        return
    kept = restrict(mdp, members)
    worthless = worthless_states(kept.mdp, values, error)
    codes[worthless & (codes == UNRESOLVED)] = TIED
    open_states = frozen(codes == UNRESOLVED)
    blocks = refine(kept.mdp, values=values, error=error, worthless=worthless, open_states=open_states)
    if blocks is None:
        return
    classes = prove(kept.mdp, blocks)
    members[kept.pairs[~classes.best & classes.proven[kept.mdp.pair_states]]] = False
    first = kept.mdp.offsets[:-1]
    alike = np.maximum.reduceat(classes.masses, first) == np.minimum.reduceat(classes.masses, first)
    counts = np.add.reduceat(members.astype(np.int64), mdp.offsets[:-1])
    settled = open_states & classes.proven & alike
    codes[settled] = np.where(counts[settled] > 1, TIED, UNIQUE)
