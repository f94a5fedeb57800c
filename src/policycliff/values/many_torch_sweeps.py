"""Sweeps under the policies of many rewards on a PyTorch device, between two backups.

No certificate rests on what is found here. Under greedy policies every reward has rows of its own, so that a sweep
gathers states * rewards values for each successor; under soft ones it costs a backup without exponentials.
"""

from dataclasses import dataclass
from typing import Any

from policycliff.values.many_torch_world import World

# Sweeps from one look at the change to the next: a look makes the processor wait for the device.
BURST = 10


@dataclass(frozen=True, slots=True, eq=False)
class GreedyRows:
    """The rows of the chosen pairs, each (k, states, rewards); probabilities are multiplied by gamma."""

    successors: Any
    probabilities: Any
    paid: Any

    def sweep(self, v: Any) -> Any:
        """The chosen rewards plus gamma times the chosen rows times v, (states, rewards)."""
        out = self.paid.clone()
        for successor, probability in zip(self.successors, self.probabilities, strict=True):
            out.addcmul_(probability, v.gather(0, successor))
        return out


@dataclass(frozen=True, slots=True, eq=False)
class SoftRows:
    """Soft policies times gamma, (pairs, rewards), and what they are paid with the regularizer's share."""

    world: World
    weights: Any
    paid: Any

    def sweep(self, v: Any) -> Any:
        """What is paid plus gamma times the mean of v at the next state, (states, rewards)."""
        return self.world.sums(self.world.ahead(v) * self.weights).add_(self.paid)


def greedy_rows(world: World, rewards: Any, chosen: Any) -> GreedyRows:
    """The rows of the pairs `chosen` (states, rewards)."""
    return GreedyRows(
        successors=world.successors[:, chosen],
        probabilities=world.probabilities[:, chosen].mul_(world.gamma),
        paid=rewards.gather(0, chosen),
    )


def soft_rows(world: World, rewards: Any, *, q: Any, top: Any, base: Any, temperature: float) -> SoftRows:
    """The policies base * exp((q - top) / temperature), where `top` is the soft maximum of q."""
    weights = world.soft_weights(q, top, base, temperature)
    # The value is the expected Q-value plus the regularizer's share.
    paid = top - world.sums((q - rewards).mul_(weights))
    return SoftRows(world, weights.mul_(world.gamma), paid)


def evaluate(rows: GreedyRows | SoftRows, v: Any, *, spans: Any, limit: int, shifted: bool) -> Any:
    """Values of the policies, nearly: until each reward's changes are within `spans`, after `limit` sweeps at most.

    `shifted` says that a constant in the values does not matter, so that the range of the changes counts; otherwise
    their size does, and after three bursts or more without success it is guessed where the values are going.
    """
    changes: list[Any] = []
    for start in range(0, limit, BURST):
        before = v
        for _ in range(min(BURST, limit - start)):
            before, v = v, rows.sweep(v)
        changes = [*changes[:2], v - before]
        high, low = changes[-1].amax(dim=0), changes[-1].amin(dim=0)
        reach = high - low if shifted else high.maximum(-low)
        if bool((reach <= spans).all()):
            return v
    if shifted or len(changes) < 3:
        return v
    return _extrapolated(rows, v, *changes[1:], apart=limit - 2 * BURST)


def _extrapolated(rows: GreedyRows | SoftRows, v: Any, earlier: Any, change: Any, *, apart: int) -> Any:
    """The limit of a geometric series of changes (Aitken), for rewards whose largest change it makes smaller.

    Where values mix for long before they reach an absorbing state, if ever, changes shrink by nearly gamma a sweep, in
    every class of states that lead to each other alike. `earlier` is the change so many sweeps before the last one:
    near the end rounding hides the ratio of two in a row.
    """
    ratio = ((change * earlier).sum(dim=0) / (earlier * earlier).sum(dim=0)).pow(1.0 / apart)
    guess = before = v + change * (ratio / (1.0 - ratio))
    # The rounding of each state's change was multiplied, which some sweeps average out.
    for _ in range(BURST):
        before, guess = guess, rows.sweep(guess)
    better = (guess - before).abs().amax(dim=0) < change.abs().amax(dim=0)
    return guess.where(better, v)
