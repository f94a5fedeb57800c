"""The effective reward at given proportions, its ties decided exactly."""

from fractions import Fraction

import numpy as np

from policycliff.rollouts.exact import UNIT_ROUNDOFF, ExactValues, round_exactly
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.questions.mixture.mixing import Mixing
from policycliff.rollouts.scores import Reward
from policycliff.rollouts.segments import segment_max, segment_of
from policycliff.shapes import Bool, Float64, Int64


def mixed_reward(mixing: Mixing, share: list[Fraction]) -> Reward:
    """The effective reward when class k draws each of its prompts with probability `share[k]`, up to a factor.

    Rows of prompts that no class with a positive share has, are out; so are rows that some class of their prompt has
    not scored, whatever its share.
    """
    table, member = mixing.table, mixing.classes.member
    positive = np.array([value > 0 for value in share])
    where = segment_of(table.offsets)
    scores = np.where((member[:, positive].sum(axis=1) > 0)[where], mixing.single, np.nan)
    if len(mixing.shared_rows):
        scores[mixing.shared_rows] = _shared_scores(mixing, share)
    exact = None if any(reward.exact is None for reward in mixing.rewards) else _exact_of(mixing, share)
    return Reward("mixture", scores, exact, ())


def class_weights(mixing: Mixing, share: list[Fraction]) -> Float64[np.ndarray, "classes shared"]:
    """w_k of the prompt of each shared row; 0 where the prompt is not of the class."""
    member = mixing.classes.member[segment_of(mixing.table.offsets)[mixing.shared_rows]]
    patterns, which = np.unique(member, axis=0, return_inverse=True)
    weights = np.array([[float(value) for value in _weights_at(pattern, share)] for pattern in patterns])
    return weights[which].T.astype(np.float64)


def _weights_at(pattern: Bool[np.ndarray, " classes"], share: list[Fraction]) -> list[Fraction]:
    kept = [value if inside else Fraction(0) for value, inside in zip(share, pattern.tolist(), strict=True)]
    total = sum(kept, Fraction(0))
    return kept if total == 0 else [value / total for value in kept]


def _shared_scores(mixing: Mixing, share: list[Fraction]) -> Float64[np.ndarray, " shared"]:
    rows, parts = mixing.shared_rows, mixing.components
    where = segment_of(mixing.table.offsets)[rows]
    weights, member = class_weights(mixing, share), mixing.classes.member[where].T
    complete = ~(np.isnan(parts) & member).any(axis=0) & (weights.sum(axis=0) > 0.0)
    scores = np.full(len(rows), np.nan)
    kept = np.flatnonzero(complete)
    if len(kept) == 0:
        return scores
    values = np.nan_to_num(parts[:, kept])
    _, starts = np.unique(where[kept], return_index=True)
    offsets = np.append(starts, len(kept))
    # Any row of the prompt may be in a mean, so its largest score bounds what all its means were rounded from.
    largest = segment_max(np.max(mixing.sizes, axis=0), mixing.table.offsets)[where[kept]]
    draws = np.diff(mixing.table.offsets)[where[kept]]
    error = UNIT_ROUNDOFF * (len(parts) + draws + 12) * largest
    exact = None if any(reward.exact is None for reward in mixing.rewards) else _exact_of(mixing, share)
    scores[kept], _ = round_exactly(
        (weights[:, kept] * values).sum(axis=0),
        error=error,
        key=values.T,
        offsets=offsets,
        exact=None if exact is None else lambda positions: exact(rows[kept[positions]]),
    )
    return scores


def _exact_of(mixing: Mixing, share: list[Fraction]) -> ExactValues:
    """Exact effective rewards of rows, as fractions."""
    where, member = segment_of(mixing.table.offsets), mixing.classes.member

    def fractions(number: int, rows: Int64[np.ndarray, " k"]) -> list[Fraction]:
        exact = mixing.rewards[number].exact
        return [] if exact is None else exact(rows)

    def component(number: int, row: int) -> Fraction:
        if mixing.own[number]:
            return fractions(number, np.array([row]))[0]
        behaviour = mixing.table.behaviour[row]
        rows = np.arange(*np.searchsorted(mixing.table.behaviour, [behaviour, behaviour + 1]))
        scored = (mixing.classes.of_row[rows] == number) & mixing.rewards[number].usable[rows]
        values = fractions(number, rows[scored])
        return sum(values, Fraction(0)) / len(values)

    def of_row(row: int) -> Fraction:
        pattern = member[where[row], :]
        if pattern.sum() == 1:
            return fractions(int(mixing.classes.of_row[row]), np.array([row]))[0]
        weights = _weights_at(pattern, share)
        return sum((value * component(k, row) for k, value in enumerate(weights) if value), Fraction(0))

    return lambda rows: [of_row(int(row)) for row in rows]


def shared_part(mixing: Mixing, share: list[Fraction], number: int, layout: Layout) -> Float64[np.ndarray, " rows"]:
    """What a class adds to the effective reward of the layout's rows; all of them are of shared prompts."""
    part = np.nan_to_num(mixing.components[number]) * class_weights(mixing, share)[number]
    return part[np.searchsorted(mixing.shared_rows, layout.rows)]
