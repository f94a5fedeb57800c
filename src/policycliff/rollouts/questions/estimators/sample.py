"""What the estimators are computed from: scores in groups, and the batches whose statistics some of them use."""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Scored, effective_reward_of, scorer_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Float64, Int64


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows in groups, with their scores.

    Attributes:
        totals: (rows,) the weighted sum of the components, rounded so that exact ties are equal.
        components: (components, rows) raw scores, NaN where one is missing and counts as nothing.
        weights: (components,) none is 0.
        names: The components' columns.
        offsets: (groups + 1,) first row of each group; every group has at least two rows.
        group: (rows,) number of the row's group.
        batch: (rows,) number of the row's batch, counted from 0; a group lies in one batch.
    """

    totals: Float64[np.ndarray, " rows"]
    components: Float64[np.ndarray, "components rows"]
    weights: Float64[np.ndarray, " components"]
    names: tuple[str, ...]
    offsets: Int64[np.ndarray, " groups_plus_1"]
    group: Int64[np.ndarray, " rows"]
    batch: Int64[np.ndarray, " rows"]

    @property
    def sizes(self) -> Int64[np.ndarray, " groups"]:
        """Rows of each group."""
        return np.diff(self.offsets)


def scored_sum(loaded: LoadedRollouts) -> Scored:
    """The weighted sum of the rewards on the groups that have two rows with a score.

    Raises:
        InvalidInputError: All weights are 0.
        TableError: No group has two usable scores.
    """
    weights = dict(loaded.rewards)
    if not any(weights.values()):
        raise InvalidInputError("every reward has weight 0, so nothing is optimised. Give one a weight with --reward.")
    effective = effective_reward_of(loaded.table, weights, plain_sum(loaded.settings))
    scored = scorer_of(loaded.table)(effective)
    if scored.layout.n_prompts == 0:
        raise TableError(
            "no group has two completions with a usable reward, so there is nothing to compare within a group. Check "
            "--group, --group-size and --missing."
        )
    return scored


def plain_sum(settings: AuditSettings) -> AuditSettings:
    """The settings with the rewards summed as they stand: each estimator normalises in its own way."""
    return replace(settings, aggregation="sum_then_normalize")


def sample_of(loaded: LoadedRollouts, scored: Scored, batch: Int64[np.ndarray, " rows"]) -> Sample:
    """The sample behind a scored weighted sum; `batch` numbers the batch of each row of its layout."""
    weights = {name: weight for name, weight in loaded.rewards if weight != 0.0}
    columns = {column.name: column.scores for column in loaded.table.rewards}
    layout = scored.layout
    return Sample(
        totals=scored.scores,
        components=np.stack([columns[name][layout.rows] for name in weights]),
        weights=np.array(list(weights.values())),
        names=tuple(weights),
        offsets=layout.row_offsets,
        group=layout.prompt_of_row,
        batch=batch,
    )
