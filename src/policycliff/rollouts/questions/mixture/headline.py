"""The headline figures of one prompt: what the mixture averages."""

from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, behaviour_means, consequences
from policycliff.rollouts.questions.tie_breakers.chosen import mean_over_chosen
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max
from policycliff.shapes import Float64

TIED, COUNTED, NO_SIGNAL, MARGIN, GAIN, TRUTH, CHANCE = (
    *("tied", "consequential", "no_signal", "margin", "gain", "truth", "left_to_chance"),
)
SHARES = (TIED, COUNTED, NO_SIGNAL)
TITLES = {
    TIED: "tied",
    COUNTED: "ties that matter",
    NO_SIGNAL: "no signal",
    MARGIN: "margin",
    GAIN: "gain",
    TRUTH: "truth",
    CHANCE: "left to chance",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What the headline figures are measured with.

    Attributes:
        aspects: What tied behaviours can differ in.
        behaviour: The behaviour column, whose values differ by definition; None without one.
        truth: Truth of the rows, or None.
        epsilon: Added to the standard deviation of a group.
    """

    aspects: tuple[Aspect, ...]
    behaviour: str | None
    truth: Float64[np.ndarray, " rows"] | None
    epsilon: float

    @property
    def names(self) -> tuple[str, ...]:
        """The figures that can be known."""
        matter = (COUNTED,) if self.aspects or self.behaviour is not None else ()
        truth = (TRUTH, CHANCE) if self.truth is not None else ()
        return (TIED, *matter, NO_SIGNAL, MARGIN, GAIN, *truth)


def headline(scored: Scored, measure: Measure) -> dict[str, Float64[np.ndarray, " prompts"]]:
    """Figures of each prompt; NaN where one is not defined: no lower value, no spread, no truth."""
    found = {TIED: scored.is_tied.astype(np.float64), NO_SIGNAL: scored.zero_spread.astype(np.float64)}
    if COUNTED in measure.names:
        flags = consequences(scored, list(measure.aspects), by_behaviour=measure.behaviour)[1]
        found[COUNTED] = flags.astype(np.float64)
    found[MARGIN] = np.where(np.isinf(scored.gap), np.nan, scored.gap)
    found[GAIN] = np.where(scored.zero_spread, np.nan, 1.0 / (scored.spread + measure.epsilon))
    if measure.truth is not None:
        values = behaviour_means(scored, measure.truth)
        found[TRUTH] = mean_over_chosen(scored, scored.best, values)
        highest = segment_max(np.where(scored.best, values, -np.inf), scored.layout.behaviour_offsets)
        found[CHANCE] = np.maximum(highest - found[TRUTH], 0.0)
    return {name: found[name] for name in measure.names}
