"""What a change of the weights does to the advantage of a pair: its coefficients, with their error.

Constant weights: the advantages of the optimal policy under each component, by one certified evaluation a component.
Weights (K, S): a row of the resolvent, times the components. Where a pair continues exactly as the policy does, both
are differences of rewards, without error, and in rational arithmetic nothing has an error.
"""

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from policycliff.cliffs.radius.allowed_changes import RewardTuple
from policycliff.cliffs.radius.exact_rows import exact_row
from policycliff.cliffs.radius.gaps import Gaps
from policycliff.cliffs.radius.kernels import continue_alike
from policycliff.cliffs.radius.resolvent import Resolvent
from policycliff.cliffs.radius.search import norm_bounds
from policycliff.cliffs.radius.weight_moves import Block, dual_norm
from policycliff.shapes import Bool, Float64
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import Rationals, rationals

Vector = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Coefficients of one pair, block by block.

    Attributes:
        block: (blocks, K) what one unit of weight k gains.
        weights: (blocks, K) the weights in force.
        blocks: which blocks these are; all others gain nothing.
        top: the largest advantage under any allowed weights.
        spread: the largest difference between coefficients of one block.
        error: bound on the error of each coefficient, summed over blocks; 0: the signs of top and spread are exact.
    """

    block: Block
    weights: Block
    blocks: np.ndarray
    top: float
    spread: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class ConstantWeights:
    """One block: `advantages` (pairs, K) of the policy under each component, each off by at most `errors`."""

    gaps: Gaps
    group: RewardTuple
    advantages: Float64[np.ndarray, "pairs components"]
    errors: Vector

    def floors(self, norm: str) -> Vector:
        """Gap over the dual norm of the coefficients; inf where no weights make the advantage positive."""
        components = self.advantages.shape[1]
        reach = dual_norm(self.advantages, norm) * (1.0 + 1e-14) + components * self.errors
        floors = np.divide(self.gaps.low, reach, out=np.full(reach.shape, np.inf), where=reach > 0.0)
        never = self.advantages.max(axis=1) + self.errors <= 0.0
        return np.where(never & (self.gaps.low > 0.0), np.inf, floors)

    def of(self, pair: int) -> Coefficients:
        """The coefficients of one pair."""
        c = self.advantages[pair]
        weights = self.group.weights
        return Coefficients(
            block=c[None, :],
            weights=weights[None, :],
            blocks=np.zeros(1, np.int64),
            top=float(weights.sum() * c.max()),
            spread=float(np.ptp(c)) if weights.any() else 0.0,
            error=float(self.errors[pair]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class StateWeights:
    """One block a state: c_k(s') = row(s, a)[s'] R_k(s', pi(s')), plus R_k(s, a) at s' = s."""

    gaps: Gaps
    group: RewardTuple
    resolvent: Resolvent
    alike: Bool[np.ndarray, " pairs"]
    owners: np.ndarray
    fractions: tuple[Rationals, ...] | None

    def floors(self, norm: str) -> Vector:
        """The bound of the reward's radius, with the dual norm of a pair's components as its half-width."""
        sizes = norm_bounds(self.gaps, dual_norm(self.group.rewards.T, norm) * (1.0 + 1e-14))
        return np.divide(self.gaps.low, sizes, out=np.full(sizes.shape, np.inf), where=sizes > 0.0)

    def of(self, pair: int) -> Coefficients:
        """The coefficients of one pair."""
        if self.fractions is not None and self.gaps.exact is not None:
            return self._exact(pair)
        state, best, rewards = int(self.owners[pair]), self.gaps.best, self.group.rewards
        if self.alike[pair]:
            block, error = np.zeros((best.size, len(rewards))), 0.0
            block[state] = rewards[:, pair] - rewards[:, best[state]]
        else:
            row = self.resolvent.row(pair, state)
            block = row.entries[:, None] * rewards[:, best].T
            block[state] += rewards[:, pair]
            error = row.error * float(np.abs(rewards).max()) + 2.0**-51 * float(np.abs(block).max(axis=1).sum())
        return self._packed(block, error)

    def _packed(self, block: Block, error: float) -> Coefficients:
        """Only the states that gain something."""
        weights = self.group.weights.T
        live = np.flatnonzero(block.any(axis=1) & weights.any(axis=1))
        if live.size == 0:
            live = np.zeros(1, np.int64)
        block, weights = block[live], weights[live]
        return Coefficients(
            block=block,
            weights=weights,
            blocks=live,
            top=float((weights.sum(axis=1) * block.max(axis=1)).sum()),
            spread=float(np.where(weights.any(axis=1), np.ptp(block, axis=1), 0.0).max()),
            error=error,
        )

    def _exact(self, pair: int) -> Coefficients:
        """The same, with signs from fractions."""
        state, best = int(self.owners[pair]), self.gaps.best.tolist()
        if self.gaps.exact is None or self.fractions is None:
            raise TypeError("gaps without fractions")
        row = exact_row(self.gaps.exact, best, pair=pair, state=state)
        table = [[entry * reward[taken] for reward in self.fractions] for entry, taken in zip(row, best, strict=True)]
        table[state] = [c + reward[pair] for c, reward in zip(table[state], self.fractions, strict=True)]
        found = self._packed(np.array([[float(c) for c in line] for line in table]), 0.0)
        totals = [sum(rationals(line), fmpq(0)) for line in self.group.weights.T]
        top = sum((total * max(line) for total, line in zip(totals, table, strict=True)), fmpq(0))
        spread = max(
            max(line) - min(line) if total != 0 else fmpq(0) for total, line in zip(totals, table, strict=True)
        )
        return Coefficients(found.block, found.weights, found.blocks, float(top), float(spread), 0.0)


Source = ConstantWeights | StateWeights


def constant_weights(gaps: Gaps, group: RewardTuple) -> ConstantWeights:
    """K evaluations of the policy."""
    mdp = gaps.mdp
    if gaps.exact is not None:
        rewards = [rationals(component) for component in group.rewards]
        values = gaps.exact.values(gaps.best.tolist(), rewards)
        owners = mdp.pair_states.tolist()
        advantages = np.empty((mdp.n_pairs, len(rewards)))
        for k, (value, reward) in enumerate(zip(values, rewards, strict=True)):
            q = gaps.exact.q_values(value, reward)
            advantages[:, k] = [float(entry - value[state]) for entry, state in zip(q, owners, strict=True)]
        return ConstantWeights(gaps, group, advantages, np.zeros(mdp.n_pairs))
    evaluations = [evaluate(mdp, gaps.policy, rewards=component) for component in group.rewards]
    advantages = np.stack([evaluation.advantages(mdp) for evaluation in evaluations], axis=1)
    error = 2.0 * max(evaluation.error_bound for evaluation in evaluations)
    alike = continues_alike(gaps)
    plain = (group.rewards - group.rewards[:, gaps.best[mdp.pair_states]]).T
    advantages = np.where(alike[:, None], plain, advantages)
    return ConstantWeights(gaps, group, advantages, np.where(alike, 0.0, error + 2.0**-52 * np.abs(advantages).max()))


def state_weights(gaps: Gaps, group: RewardTuple, resolvent: Resolvent) -> StateWeights:
    """Coefficients by rows of the resolvent."""
    fractions = None if gaps.exact is None else tuple(rationals(component) for component in group.rewards)
    return StateWeights(gaps, group, resolvent, continues_alike(gaps), gaps.mdp.pair_states, fractions)


def continues_alike(gaps: Gaps) -> Bool[np.ndarray, " pairs"]:
    """(pairs,) whether a pair has the same future as the pair that the policy takes in its state."""
    mdp = gaps.mdp
    return continue_alike(mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.gamma, gaps.best)
