"""What the finite environments of MO-Gymnasium do not say themselves: names, positions, abstractions.

`simplify` maps an inner state onto one that behaves the same, where the environment counts something without bound:
in breakable-bottles the number of dropped bottles on a cell, of which the reward asks only whether it is 0 (with
unbreakable bottles they can be picked up again, and then the number counts and the model is not finite).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_COMPASS = ("up", "down", "left", "right")


@dataclass(frozen=True, slots=True)
class KnownEnvironment:
    """Names and positions of one class of environments.

    Attributes:
        actions: names of actions.
        rewards: names of reward components.
        cell: row and column from the observation, or None.
        layer: what else of the observation counts, in words.
        simplify: changes the environment to an equivalent inner state.
    """

    actions: tuple[str, ...]
    rewards: tuple[str, ...]
    cell: Callable[[Sequence[Any]], tuple[int, int]] | None = None
    layer: Callable[[Sequence[Any]], str] | None = None
    simplify: Callable[[Any], None] | None = None


def _row_and_column(observation: Sequence[Any]) -> tuple[int, int]:
    return int(observation[0]), int(observation[1])


def _nothing(_observation: Sequence[Any]) -> str:
    return ""


def _carried(observation: Sequence[Any]) -> str:
    held = [name for name, has in zip(("gold", "gem"), observation[2:], strict=True) if has]
    return "with " + " and ".join(held) if held else "empty-handed"


def _collected(observation: Sequence[Any]) -> str:
    return f"{sum(int(item) for item in observation[2:])} collected: " + "".join(str(item) for item in observation[2:])


def _bottles(observation: Sequence[Any]) -> str:
    dropped = sum(int(item > 0) for item in observation[3:])
    return f"carrying {observation[1]}, delivered {observation[2]}, " + (
        f"bottles on {dropped} cells" if dropped else "none dropped"
    )


def _forget_counts(env: Any) -> None:
    if not env.unbreakable_bottles:
        env.bottles_dropped = [int(number > 0) for number in env.bottles_dropped]


KNOWN = {
    "DeepSeaTreasure": KnownEnvironment(_COMPASS, ("treasure", "time"), _row_and_column, _nothing),
    "ResourceGathering": KnownEnvironment(_COMPASS, ("death", "gold", "gem"), _row_and_column, _carried),
    "FourRoom": KnownEnvironment(
        ("left", "up", "right", "down"), ("square", "triangle", "circle"), _row_and_column, _collected
    ),
    "FruitTreeEnv": KnownEnvironment(
        ("left", "right"), ("protein", "carbohydrate", "fat", "vitamins", "minerals", "water")
    ),
    "FishWood": KnownEnvironment(("fish", "wood"), ("fish", "wood")),
    "BreakableBottles": KnownEnvironment(
        ("left", "right", "pickup"),
        ("time", "delivery", "impact"),
        lambda observation: (0, int(observation[0])),
        _bottles,
        _forget_counts,
    ),
}
NOTHING_KNOWN = KnownEnvironment((), ())
