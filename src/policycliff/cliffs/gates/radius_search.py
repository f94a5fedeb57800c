"""The search behind `gate_radius`: each pair's proven end by bisection, its measured end by climbing.

Pairs are taken by ascending floors of their proven ends, gap / ||G d|| with G the constant of the gate; a hard gate has
the floors of fixed weights, as far as it cannot turn. The theory is in `radius`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from policycliff.cliffs.gates.search import Ball, climb_linear, scaled, turning
from policycliff.cliffs.radius.allowed_changes import AllowedChanges
from policycliff.cliffs.radius.search import Found, Search, make_search
from policycliff.mdp.compilation import frozen
from policycliff.rewards.gates.gated import GatedReward, given_logits, top_logits, with_move
from policycliff.rewards.gates.growth import Move, growth, pull_back, weight_shift
from policycliff.shapes import Float64
from policycliff.values.evaluation import evaluate
from policycliff.values.left_solve import RELATIVE_ERROR
from policycliff.values.operator import amplification

BISECTIONS = 40
ROUNDS = 12
SHRINK = 0.7
MOST_MEASURED = 8
RANDOM_STARTS = 6
BEYOND = (1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 1.0, 30.0, 1e3, 1e6)

Pairs = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """The search over pairs, by ascending floors of their lower ends."""

    gated: GatedReward
    fixed: Search
    floors: Pairs

    def lowest(self) -> tuple[float, int]:
        """The least lower end over all pairs, and the rows solved."""
        low, rows = np.inf, 0
        for pair in self._order():
            if self.floors[pair] >= low:
                break
            d, error = self._coefficients(pair)
            low, rows = min(low, self._lower_end(pair, d, error)), rows + 1
        return low, rows

    def measure(self) -> tuple[float, int, np.ndarray] | None:
        """The least verified move over the pairs of least floor."""
        best: tuple[float, int, np.ndarray] | None = None
        for pair in self._order()[:MOST_MEASURED]:
            d, _ = self._coefficients(pair)
            limit = np.inf if best is None else best[0]
            found = self._upper_end(pair, d, limit)
            if found is not None and found[0] < limit:
                best = (found[0], pair, found[1])
        return best

    def shared(self, plain: Found) -> tuple[float, int, np.ndarray]:
        """The move of fixed weights, shared by all components: a little longer if that makes the pair provably better.

        For a gate that does not see shared moves; the size is an upper end in any case.
        """
        size, count = plain.bracket[1] + 2.0 * self.gated.rounding, len(self.gated.components)
        d, _ = self._coefficients(plain.pair)
        witness = self.fixed.witness(self.fixed.candidate(plain.pair), size)
        found = self._verified(plain.pair, d, Move(np.tile(witness, (count, 1)), None)) if size > 0.0 else None
        if found is None or (plain.status != "tied" and found[0] > size * (1.0 + 1e-6)):
            return size, plain.pair, np.tile(plain.witness, (count, 1))
        return found[0], plain.pair, found[1]

    def _order(self) -> list[int]:
        pairs = np.flatnonzero(self.fixed.gaps.rivals & np.isfinite(self.floors))
        return np.asarray(pairs[np.argsort(self.floors[pairs], kind="stable")]).tolist()

    def _coefficients(self, pair: int) -> tuple[Pairs, float]:
        """(pairs,) d, and a bound on its L1 error."""
        mdp, best = self.gated.mdp, self.fixed.gaps.best
        row = self.fixed.resolvent.row(pair, int(mdp.pair_states[pair]))
        d = np.zeros(mdp.n_pairs)
        d[best] = np.where(mdp.terminal, 0.0, row.entries)
        d[pair] = 1.0
        return d, row.error

    def _lower_end(self, pair: int, d: Pairs, error: float) -> float:
        """The largest e at which the pair's advantage is proven to stay below 0."""
        gated, starts = self.gated, self.gated.mdp.offsets[:-1]
        gap, norm = float(self.fixed.gaps.low[pair]), float(np.abs(d).sum())
        paid = np.add.reduceat(d * gated.components, starts, axis=1)
        spread = paid.max(axis=0) - paid.min(axis=0)
        widest = float(gated.spread.max())

        def most(size: float) -> float:
            shift = weight_shift(gated, size)
            slack = error * (size + widest) + 2.0 * gated.rounding * norm
            return (size * norm + float(shift @ spread) + slack) * (1.0 + 1e-12)

        return _largest_below(most, gap, gap / norm)

    def _upper_end(self, pair: int, d: Pairs, limit: float) -> tuple[float, np.ndarray] | None:
        """A verified move of the components, shorter than the limit, that makes the pair better, and its size."""
        size = float(self.fixed.gaps.high[pair]) / float(np.abs(d).sum()) * (1.0 + 1e-9)
        size = max(size, 1e-9 * float(self.gated.spread.max() + 1e-300))
        rng = np.random.default_rng(pair)
        for doubled in range(8):
            trial = min(size * 2.0**doubled, 0.99 * limit)
            move = self._within(pair, d, trial, rng)
            if move is not None:
                return self._verified(pair, d, self._shortest(pair, d, move, rng))
            if trial == 0.99 * limit:
                return None
        return None

    def _shortest(self, pair: int, d: Pairs, move: Move, rng: np.random.Generator) -> Move:
        """Look in smaller and smaller balls while they hold a move with a positive advantage."""
        shrink = SHRINK
        for _ in range(ROUNDS):
            shorter = self._within(pair, d, shrink * float(np.abs(move.rewards).max()), rng)
            if shorter is not None:
                move = shorter
            elif shrink > 0.95:
                break
            else:
                shrink = 0.5 * (1.0 + shrink)
        return move

    def _within(self, pair: int, d: Pairs, size: float, rng: np.random.Generator) -> Move | None:
        """The climb in the ball of this size that gains most, shortened to advantage 0; None if none gets that far."""
        ball = Ball(self.gated, size, 0.0)
        directions = [pull_back(self.gated, d), *self._turnings(pair, d)]
        directions += [ball.random(rng) for _ in range(RANDOM_STARTS)]
        climbed = max((climb_linear(ball, d, direction) for direction in directions), key=lambda item: item[0])[1]
        return self._shortened(d, climbed) if self._advantage(d, climbed) >= 0.0 else None

    def _turnings(self, pair: int, d: Pairs) -> list[Move]:
        """Corners that turn the gates of the pair's state and of what the policy does there."""
        best = int(self.fixed.gaps.best[self.gated.mdp.pair_states[pair]])
        shared = Move(np.tile(np.sign(d), (len(self.gated.components), 1)), None)
        moves = [*turning(self.gated, pair, 1.0), *turning(self.gated, best, -1.0)]
        return [shared, *(Move(move.rewards + 0.5 * shared.rewards * (move.rewards == 0.0), None) for move in moves)]

    def _advantage(self, d: Pairs, move: Move) -> float:
        return float(d @ with_move(self.gated, rewards=move.rewards).rewards)

    def _shortened(self, d: Pairs, move: Move) -> Move:
        """The shortest multiple, up to 1, with an advantage of at least 0, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            if self._advantage(d, scaled(move, middle)) >= 0.0:
                high = middle
            else:
                low = middle
        return scaled(move, high)

    def _verified(self, pair: int, d: Pairs, move: Move) -> tuple[float, np.ndarray] | None:
        """The move, a little longer, with a proven positive advantage of the pair; None if none could be proven."""
        mdp, policy = self.gated.mdp, self.fixed.gaps.policy
        for beyond in BEYOND:
            longer = move.rewards * (1.0 + beyond)
            moved = with_move(self.gated, rewards=longer)
            found = evaluate(mdp, policy, rewards=moved.rewards)
            error = 2.0 * found.error_bound + 2.0 * moved.rounding * amplification(mdp) + _doubt(moved, d, longer)
            if found.q_values[pair] - found.values[mdp.pair_states[pair]] > error:
                return float(np.abs(longer).max()), longer
        return None


def _doubt(moved: GatedReward, d: Pairs, move: np.ndarray) -> float:
    """How much less d . R_eff may be because a hard gate, where it moved, cannot tell which logit is the largest."""
    if moved.gate.temperature > 0.0 or not moved.gate.reads_rewards:
        return 0.0
    starts, top = moved.mdp.offsets[:-1], top_logits(moved.logits, moved.logit_error)
    touched = np.add.reduceat(np.abs(move).sum(axis=0), starts) > 0.0
    doubtful = touched & (moved.logit_error > 0.0) & (top.sum(axis=0) > 1)
    paid = np.add.reduceat(d * moved.components, starts, axis=1)
    count, less = len(moved.components), 0.0
    gain, base = moved.gate.gain_matrix(count), given_logits(moved.mdp, moved.gate, count)
    for state in np.flatnonzero(doubtful).tolist():
        # Components that follow one rule are truly tied and share the weight.
        tied = np.flatnonzero(top[:, state])
        rules = np.hstack([gain[tied], base[tied][:, [state]]])
        groups = np.unique(rules, axis=0, return_inverse=True)[1].ravel()
        means = np.bincount(groups, weights=paid[tied, state]) / np.bincount(groups)
        less += float(paid[tied, state].mean() - means.min())
    return less * (1.0 + 1e-9)


def floors_of(gated: GatedReward, fixed: Search, turn: float) -> Pairs:
    """(pairs,) numbers below each pair's lower end, also after what rounding takes from it."""
    widest = float(gated.spread.max())
    slack = 6.0 * gated.rounding + (1e-13 + 4.0 * RELATIVE_ERROR) * (widest + float(np.abs(gated.components).max()))
    return np.maximum(_plain_floors(gated, fixed, turn) - slack, 0.0)


def _plain_floors(gated: GatedReward, fixed: Search, turn: float) -> Pairs:
    """(pairs,) gap / ||G d||, without rounding."""
    constant = growth(gated)
    if np.isfinite(constant).all():
        alive = np.where(gated.mdp.terminal[gated.mdp.pair_states], 0.0, constant)
        return make_search(fixed.gaps, AllowedChanges(frozen(alive), "inf", None)).floors * (1.0 - 1e-6)
    # A hard gate has fixed weights until it can turn.
    return np.where(np.isfinite(fixed.floors), np.minimum(fixed.floors, turn) * (1.0 - 1e-6), np.inf)


def _largest_below(function: Callable[[float], float], level: float, high: float) -> float:
    """The largest number up to `high` at which an increasing function is at most the level; 0 if there is none."""
    if function(high) <= level:
        return high
    low = 0.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if function(middle) <= level:
            low = middle
        else:
            high = middle
    return low
