"""What tied behaviours can differ in, so that the tie matters: as the audit counts it."""

from policycliff.rollouts.analyses.degeneracy import Aspect
from policycliff.rollouts.analyses.noise import noise_of_column
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import column_reward


def aspects_of(loaded: LoadedRollouts) -> tuple[Aspect, ...]:
    """The truth, and the rewards where there are several, each with the noise below which nothing differs."""
    table, settings, weights = loaded.table, loaded.settings, dict(loaded.rewards)
    truth = [] if table.truth is None else [Aspect(table.truth.name, table.truth.scores)]
    others = []
    for column in table.rewards if len(table.rewards) > 1 else ():
        reward = column_reward(column.name, column.scores, weight=weights[column.name])
        others.append(Aspect(column.name, column.scores, noise_of_column(table, reward, settings).sigma or 0.0))
    return (*truth, *others)
