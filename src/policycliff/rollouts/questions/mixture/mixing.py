"""The effective reward of a mixture of classes (Lemma 4.2): R_eff(s, a) = sum over k of w_k(s) R_k(s, a).

A class draws its prompts evenly, so prompt s of the classes K(s) is of class k with probability w_k(s) proportional to
p_k / N_k: proportion over number of prompts. A prompt of one class has that class's reward whatever the proportions.

At a prompt of several classes, a class with a reward of its own scores every completion by it. One without scores the
behaviours that its own rows show, by their mean; a behaviour that some class of the prompt has not scored is left out.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.rollouts.questions.mixture.classes import Classes, reward_name
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Reward, column_reward, effective_reward_of
from policycliff.rollouts.segments import segment_of
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64

NORMALISED = "normalize_then_sum"


@dataclass(frozen=True)
class Mixing:
    """What the classes' rewards are mixed from.

    Without slots, so that what is derived is computed once and kept.

    Attributes:
        table: The rows.
        classes: Their classes.
        rewards: Reward of each class, over all rows.
        own: (classes,) whether the class has a reward of its own, which scores every completion.
        sizes: (rows,) what rounding of the rewards is relative to.
    """

    table: RolloutTable
    classes: Classes
    rewards: tuple[Reward, ...]
    own: tuple[bool, ...]
    sizes: tuple[Float64[np.ndarray, " rows"], ...]

    @cached_property
    def shared_rows(self) -> Int64[np.ndarray, " shared"]:
        """Rows of the prompts of several classes."""
        return np.flatnonzero(self.classes.shared[segment_of(self.table.offsets)])

    @cached_property
    def single(self) -> Float64[np.ndarray, " rows"]:
        """Reward of each row under its own class; NaN without a class."""
        scores = np.full(self.table.n_rows, np.nan)
        for number, reward in enumerate(self.rewards):
            mine = self.classes.of_row == number
            scores[mine] = reward.scores[mine]
        return scores

    @cached_property
    def components(self) -> Float64[np.ndarray, "classes shared"]:
        """Reward of the shared rows under each class of their prompt; NaN where it has none."""
        rows = self.shared_rows
        member = self.classes.member[segment_of(self.table.offsets)[rows]]
        found = np.full((len(self.rewards), len(rows)), np.nan)
        for number, reward in enumerate(self.rewards):
            scores = reward.scores[rows] if self.own[number] else self._means(number, reward.scores)
            found[number, member[:, number]] = scores[member[:, number]]
        return found

    def _means(self, number: int, scores: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " shared"]:
        """Mean over the rows of a class that show the same behaviour; the common value where they agree."""
        rows = self.shared_rows
        _, behaviour = np.unique(self.table.behaviour[rows], return_inverse=True)
        counted = (self.classes.of_row[rows] == number) & ~np.isnan(scores[rows])
        n = int(behaviour.max(initial=-1)) + 1
        draws = np.bincount(behaviour[counted], minlength=n)
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(low, behaviour[counted], scores[rows][counted])
        np.maximum.at(high, behaviour[counted], scores[rows][counted])
        sums = np.bincount(behaviour[counted], weights=scores[rows][counted], minlength=n)
        mean = np.divide(sums, draws, out=np.full(n, np.nan), where=draws > 0)
        return np.where(low == high, low, mean)[behaviour]


def mixing_of(loaded: LoadedRollouts, classes: Classes, formulas: frozenset[str]) -> Mixing:
    """The rewards of the classes: their own, or the effective reward of the settings.

    Raises:
        InvalidInputError: A class without a reward.
    """
    table, settings = loaded.table, loaded.settings
    weights = {name: weight for name, weight in loaded.rewards if name not in map(reward_name, formulas)}
    lacking = [name for name in classes.names if name not in formulas]
    if lacking and not any(weights.values()):
        raise InvalidInputError(
            f"the class {lacking[0]!r} has no reward: give one with --class-reward '{lacking[0]}=FORMULA', or with "
            "--reward for all classes."
        )
    if settings.aggregation == NORMALISED and classes.shared.any():
        raise InvalidInputError(
            "aggregation normalize_then_sum is of one reward for all completions of a prompt, but some prompts occur "
            "in several classes. Use sum_then_normalize."
        )
    columns = {column.name: column.scores for column in table.rewards}
    everyone = effective_reward_of(table, dict.fromkeys(columns, 0.0) | weights, settings) if lacking else None
    size = np.zeros(table.n_rows)
    for name, weight in weights.items():
        size += abs(weight) * np.nan_to_num(np.abs(columns[name]))
    rewards, sizes = [], []
    for name in classes.names:
        if name in formulas or everyone is None:
            scores = columns[reward_name(name)]
            rewards.append(column_reward(reward_name(name), scores))
            sizes.append(np.nan_to_num(np.abs(scores)))
        else:
            rewards.append(everyone)
            sizes.append(size)
    own = tuple(name in formulas for name in classes.names)
    return Mixing(table, classes, tuple(rewards), own, tuple(sizes))
