"""What a reward is designed for: which policy is to be optimal, where, by how much, and what may change.

With D the change and V the values that the target gets, the demand on pair p = (s, a) is about

    y(p) = R(p) + D(p) + gamma P(p, .) V - V(s) + margin(p)

- taken: pairs of the target in the states that count: y = 0 (several in a state, for a stochastic target: all tie);
- rivals: the other pairs of these states: y <= 0 with the margin asked for;
- loose: pairs of states that do not count: y <= 0 with margin 0. V is then at least what any policy can get there, so
  the target is optimal in the states that count, whatever is done elsewhere. States that count are closed under the
  target, so the demand is exact: V = V* of the changed MDP fulfils it whenever any V does.

The change is D = G z. Without features z holds the free pairs; with features it holds their coefficients.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64

ORDERS: dict[str, float] = {"inf": np.inf, "1": 1, "2": 2}
DUAL_ORDERS: dict[str, float] = {"inf": 1, "1": np.inf, "2": 2}

Pairs = Bool[np.ndarray, " pairs"]
Vector = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class DesignTask:
    """One design problem.

    Attributes:
        mdp: the MDP with the reward that is changed.
        policy: (pairs,) the target.
        counts: (states,) where the target is to be optimal.
        margin: by how much other pairs are to be worse there.
        free: (pairs,) whose reward may change.
        features: (features, pairs), 0 where not free; or None.
        norm: "inf", "1" or "2", and ...
        measure: ... whether of the "change" or of the "coefficients" of the features.
    """

    mdp: MDP
    policy: Vector
    counts: Bool[np.ndarray, " states"]
    margin: float
    free: Pairs
    features: Float64[np.ndarray, "features pairs"] | None
    norm: str
    measure: str

    @property
    def alive(self) -> Pairs:
        """(pairs,) pairs of states that are not terminal."""
        return ~self.mdp.terminal[self.mdp.pair_states]

    @property
    def taken(self) -> Pairs:
        """(pairs,) what the target does where it counts."""
        return np.asarray((self.policy > 0.0) & self.counts[self.mdp.pair_states] & self.alive)

    @property
    def rivals(self) -> Pairs:
        """(pairs,) all else that can be done there."""
        return np.asarray((self.policy == 0.0) & self.counts[self.mdp.pair_states] & self.alive)

    @property
    def loose(self) -> Pairs:
        """(pairs,) what can be done elsewhere."""
        return np.asarray(~self.counts[self.mdp.pair_states] & self.alive)

    @property
    def margins(self) -> Vector:
        """(pairs,) the margin on rivals, 0 elsewhere."""
        return np.where(self.rivals, self.margin, 0.0)

    @property
    def is_mixed(self) -> bool:
        """Whether the target is stochastic: its pairs have to tie."""
        return bool((self.taken & (self.policy < 1.0)).any())

    @property
    def all_free(self) -> bool:
        """Whether the reward of every pair may change by itself."""
        return self.features is None and bool(self.free[self.alive].all())

    @property
    def scale(self) -> float:
        """Size of the numbers; the tolerances of the solvers are absolute."""
        return max(float(np.abs(self.mdp.rewards).max()), self.margin) or 1.0

    @property
    def body(self) -> sp.csr_array:
        """The matrix gamma P(p, .) - e_s over pairs x states: an advantage is R + body V."""
        n, shape = self.mdp.n_pairs, (self.mdp.n_pairs, self.mdp.n_states)
        owners = sp.csr_array((np.ones(n), (np.arange(n), self.mdp.pair_states)), shape=shape)
        return sp.csr_array(self.mdp.gamma * self.mdp.transitions - owners)

    @property
    def directions(self) -> sp.csr_array:
        """G, pairs x (free pairs or features)."""
        if self.features is not None:
            return sp.csr_array(self.features.T)
        free = np.flatnonzero(self.free)
        return sp.csr_array((np.ones(free.size), (free, np.arange(free.size))), shape=(self.mdp.n_pairs, free.size))

    @property
    def measured(self) -> sp.csr_array:
        """What the norm is taken of, as a matrix on z."""
        if self.features is not None and self.measure == "change":
            return self.directions
        size = int(self.free.sum()) if self.features is None else len(self.features)
        return sp.eye_array(size, format="csr")

    def size(self, change: Vector, coefficients: np.ndarray | None) -> float:
        """The norm of a change, in units of its largest entry: squares of 1e200 or 1e-200 are no numbers."""
        vector = change if coefficients is None or self.measure == "change" else coefficients
        unit = float(np.abs(vector).max(initial=0.0))
        return unit * float(np.linalg.norm(vector / unit, ORDERS[self.norm])) if unit > 0.0 else 0.0

    def from_values(self, values: Float64[np.ndarray, " states"]) -> Vector:
        """The smallest change of each free pair that fulfils its demand, given V (without features)."""
        y = self.mdp.rewards + self.margins + self.body @ values
        wanted = np.where(self.taken, -y, -np.maximum(y, 0.0))
        return np.where(self.free & self.alive, wanted, 0.0)

    def with_margin(self, margin: float) -> "DesignTask":
        """The same task with another margin."""
        return replace(self, margin=margin)
