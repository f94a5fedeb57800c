"""The options of a recorder: which ones there are, and what cannot be right."""

from collections.abc import Mapping
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.integrations.live.limits import GivenLimit, Limit, limits_of
from policycliff.integrations.live.rows import ROLES, TRUTH
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.settings import AuditSettings

EVALUATION = "evaluation/"
"""Comes after the prefix in the names of an evaluation's figures, and names its folder."""
OPTIONS = (
    "aggregation", "beta", "embed", "epsilon", "look_at", "main_reward", "max_reward", "max_shift", "missing", "noise",
    "reward_error", "seed",
)  # fmt: skip
"""Options of `policycliff.audit` that a recorder takes; the columns' names are its own."""


def require_options(options: Mapping[str, Any], limits: Mapping[str, GivenLimit]) -> tuple[Limit, ...]:
    """The limits, once they and the options are known to be those of a recorder.

    Raises:
        InvalidInputError: They are not.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise InvalidInputError(f"a recorder has no option {unknown[0]!r}; its options are {', '.join(OPTIONS)}.")
    return limits_of(limits, EVALUATION)


def settings_of_recorder(rewards: Mapping[str, float], options: Mapping[str, Any]) -> AuditSettings:
    """The options of the audit that the recorder's settings are.

    Raises:
        InvalidInputError: They cannot be right.
    """
    reserved = sorted(set(rewards) & {*ROLES, TRUTH})
    if reserved:
        raise InvalidInputError(f"a reward cannot be named {reserved[0]!r}: the recorder has a column of that name.")
    if not any(rewards.values()):
        raise InvalidInputError("there is no reward of weight other than 0. Give the weights as {name: weight}.")
    return settings_from_options({"rewards": dict(rewards), **options})
