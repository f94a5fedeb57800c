"""What the advantages of a TRL completion log say of what it does not log: the weights and the scaling of the rewards.

TRL sums the weighted scores of a row (a missing one counts 0), subtracts the group's mean and divides by the standard
deviation (n - 1) of the group or of the batch plus 1e-4, or not at all; or it normalises every reward in its group
first and the weighted sum in the batch. Each of these is computed from the scores and compared with what is logged.

Of a sum, the advantages A of a group are its centred scores times the weights, D w, up to a positive factor that
differs by group; with the part of D along A taken out, D w is zero: w is the null vector of the sum of
D'(I - AA'/A'A)D.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

import numpy as np
import polars as pl

from policycliff.rollouts.formats.shared.float32 import is_float32
from policycliff.rollouts.formats.trl.log import Log, logged_numbers
from policycliff.shapes import Float64, Int64

_EPSILON = 1e-4
# Scores are float32 in the trainer: a small spread of large scores leaves few digits.
_TOLERANCE = 2e-3
_SHARE_THAT_FITS = 0.99

Rows = Float64[np.ndarray, " rows"]
Groups = Int64[np.ndarray, " rows"]
Scores = Float64[np.ndarray, "rows rewards"]
Sums = Float64[np.ndarray, "groups rewards"]
Weights = Float64[np.ndarray, " rewards"]


@np.errstate(all="ignore")
def reward_names(log: Log, group: pl.Series, given: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """The reward columns: the first float columns after `completion`, before those of `log_extra`.

    Scores are float32 numbers; an extra column may be too, and then follows them. So the longest beginning of the
    columns is taken that explains the advantages, or all of them where none does. Those given by the user are added.
    """
    possible = _score_columns(log)
    numbers, batch = logged_numbers(log), log.chunk_of_row()
    found = possible
    for count in range(len(possible), 0, -1):
        names = possible[:count]
        if "advantage" in numbers.columns and _setting_that_fits(numbers, group, batch, dict.fromkeys(names, 1.0)):
            found = names
            break
    return tuple(dict.fromkeys([*found, *(name for name, _ in given if name in possible)]))


@np.errstate(all="ignore")
def advantage_notes(numbers: pl.DataFrame, group: pl.Series, batch: Groups, weights: Mapping[str, float]) -> list[str]:
    """Whether the logged advantages agree with the rewards and weights, and if not, with which they do."""
    if "advantage" not in numbers.columns or not set(weights) <= set(numbers.columns):
        return []
    found = _setting_that_fits(numbers, group, batch, weights)
    if found == _GROUP:
        return ["the logged advantages agree with these weights and scale_rewards='group'."]
    if found is not None:
        return [f"the logged advantages agree with these weights and {found}."]
    better = _weights_that_fit(numbers, group, batch, list(weights))
    if better is None:
        return ["the logged advantages do not agree with these weights: others, or other rewards, were trained on."]
    setting, values = better
    options = " ".join(f"--reward {name}={value:.4g}" for name, value in values.items())
    return [f"the logged advantages say that weights were in these proportions: {options} (and {setting})."]


def _score_columns(log: Log) -> list[str]:
    """The float columns that follow `completion`, up to the first that cannot have been a float32 tensor's."""
    names = list(log.schema)
    after = names[names.index("completion") + 1 :]
    floats = list(takewhile(lambda name: name != "advantage" and log.schema[name].is_float(), after))
    return list(takewhile(lambda name: is_float32(log.numbers[name]), floats)) or floats


def _used_rows(
    numbers: pl.DataFrame, group: pl.Series, batch: Groups, names: Sequence[str]
) -> tuple[
    Float64[np.ndarray, "used rewards"],
    Float64[np.ndarray, " used"],
    Int64[np.ndarray, " used"],
    Int64[np.ndarray, " used"],
]:
    """Scores, advantages, groups and batches, without rows in no group and rows that have no score at all."""
    scores = numbers.select(names).to_numpy().astype(np.float64)
    advantages = numbers["advantage"].to_numpy()
    kept = group.is_not_null().to_numpy() & np.isfinite(advantages) & ~np.isnan(scores).all(axis=1)
    kept &= ~np.isinf(scores).any(axis=1)
    groups = np.unique(group.fill_null(-1).to_numpy()[kept], return_inverse=True)[1]
    batches = np.unique(batch[kept], return_inverse=True)[1]
    return scores[kept], advantages[kept], groups, batches


def _setting_that_fits(
    numbers: pl.DataFrame, group: pl.Series, batch: Groups, weights: Mapping[str, float]
) -> str | None:
    scores, advantages, groups, batches = _used_rows(numbers, group, batch, list(weights))
    if not len(scores):
        return None
    vector = np.array(list(weights.values()))
    fits = (name for name, predict in _SETTINGS.items() if _agree(predict(scores, vector, groups, batches), advantages))
    return next(fits, None)


def _weights_that_fit(
    numbers: pl.DataFrame, group: pl.Series, batch: Groups, names: list[str]
) -> tuple[str, dict[str, float]] | None:
    scores, advantages, groups, _ = _used_rows(numbers, group, batch, names)
    if len(names) < 2 or not len(scores):
        return None
    centred = _centred(np.nan_to_num(scores), groups)
    size = _sums(advantages[:, None] ** 2, groups)
    taken_out = _sums(centred * advantages[:, None], groups) / np.where(size > 0, size, 1.0)
    rest = (centred - advantages[:, None] * taken_out[groups])[(size > 0)[groups, 0]]
    matrix = rest.T @ rest
    if not np.isfinite(matrix).all():
        return None
    values, vectors = np.linalg.eigh(matrix)
    if values[1] <= 1e-6 * max(values[-1], np.trace(centred.T @ centred)):
        return None  # Several weights explain the advantages alike.
    vector = vectors[:, 0] / np.abs(vectors[:, 0]).max()
    vector = vector if advantages @ centred @ vector > 0 else -vector
    found = {name: float(value) for name, value in zip(names, vector, strict=True)}
    setting = _setting_up_to_scale(numbers, group, batch, found)
    return None if setting is None else (setting, found)


def _setting_up_to_scale(
    numbers: pl.DataFrame, group: pl.Series, batch: Groups, weights: dict[str, float]
) -> str | None:
    """The setting that fits, where unscaled rewards may have any common factor."""
    scores, advantages, groups, _ = _used_rows(numbers, group, batch, list(weights))
    sums = _centred(np.nan_to_num(scores), groups) @ np.array(list(weights.values()))
    factor = float(sums @ advantages / max(sums @ sums, 1e-300))
    if _agree(factor * sums, advantages):
        return _NONE
    return _setting_that_fits(numbers, group, batch, weights)


def _agree(predicted: Rows, logged: Rows) -> bool:
    close = np.abs(predicted - logged) <= _TOLERANCE * (1.0 + np.abs(logged))
    return bool(close.mean() >= _SHARE_THAT_FITS)


def _sums(values: Scores, groups: Groups) -> Sums:
    """Sums by group, (groups, columns)."""
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _centred(values: Scores, groups: Groups) -> Scores:
    """Values less the mean of their group; a missing one counts for nothing and stays missing."""
    means = _sums(np.nan_to_num(values), groups) / _sums((~np.isnan(values)).astype(np.float64), groups)
    return np.asarray(values - means[groups])


def _spread(values: Scores, groups: Groups) -> Scores:
    """Standard deviation (n - 1) of the group of each row, NaN for a group of one."""
    counts = _sums((~np.isnan(values)).astype(np.float64), groups)
    squares = _sums(np.nan_to_num(_centred(values, groups)) ** 2, groups)
    return np.asarray(np.sqrt(squares / (counts - 1.0))[groups])


def _summed(scores: Scores, weights: Weights) -> Float64[np.ndarray, "rows 1"]:
    return np.asarray(np.nan_to_num(scores) @ weights)[:, None]


def _group_scaled(scores: Scores, weights: Weights, groups: Groups, _batches: Groups) -> Rows:
    sums = _summed(scores, weights)
    return np.asarray(np.nan_to_num(_centred(sums, groups) / (_spread(sums, groups) + _EPSILON))[:, 0])


def _unscaled(scores: Scores, weights: Weights, groups: Groups, _batches: Groups) -> Rows:
    return np.asarray(_centred(_summed(scores, weights), groups)[:, 0])


def _batch_scaled(scores: Scores, weights: Weights, groups: Groups, batches: Groups) -> Rows:
    sums = _summed(scores, weights)
    return np.asarray((_centred(sums, groups) / (_spread(sums, batches) + _EPSILON))[:, 0])


def _normalised_first(scores: Scores, weights: Weights, groups: Groups, batches: Groups) -> Rows:
    sums = _summed(_centred(scores, groups) / (_spread(scores, groups) + _EPSILON), weights)
    return np.asarray((_centred(sums, batches) / (_spread(sums, batches) + _EPSILON))[:, 0])


_GROUP, _NONE = "scale_rewards='group'", "scale_rewards='none'"
_SETTINGS: dict[str, Callable[[Scores, Weights, Groups, Groups], Rows]] = {
    _GROUP: _group_scaled,
    _NONE: _unscaled,
    "scale_rewards='batch'": _batch_scaled,
    "multi_objective_aggregation='normalize_then_sum' (give --aggregation normalize_then_sum)": _normalised_first,
}
