"""All rewards of a table: its columns, their weighted sum and the truth."""

from dataclasses import dataclass

from policycliff.errors import InvalidInputError
from policycliff.rollouts.scores import Reward, Scorer, column_reward, effective_reward_of, scorer_of
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable


@dataclass(frozen=True, slots=True)
class Rewards:
    """Every reward on one table.

    Attributes:
        columns: The reward columns, by name in the order of the settings.
        effective: Their weighted sum.
        truth: The reward that is not trained on, or None.
        weights: Weight of each column.
        scorer: Scores any of them.
    """

    columns: dict[str, Reward]
    effective: Reward
    truth: Reward | None
    weights: dict[str, float]
    scorer: Scorer

    def named(self, name: str) -> Reward:
        """A column, or the effective reward under its own name."""
        return self.effective if name == EFFECTIVE else self.columns[name]

    @property
    def names(self) -> list[str]:
        """The effective reward and the columns."""
        return [EFFECTIVE, *self.columns]


def rewards_of(table: RolloutTable, weights: dict[str, float], settings: AuditSettings) -> Rewards:
    """The rewards of a table.

    Raises:
        InvalidInputError: Every weight is 0.
    """
    if all(weight == 0.0 for weight in weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no effective reward. Give one a weight.")
    return Rewards(
        columns={
            column.name: column_reward(column.name, column.scores, weight=weights[column.name])
            for column in table.rewards
        },
        effective=effective_reward_of(table, weights, settings),
        truth=None if table.truth is None else column_reward(table.truth.name, table.truth.scores),
        weights=weights,
        scorer=scorer_of(table),
    )
