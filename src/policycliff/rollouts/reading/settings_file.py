"""A settings file: TOML or JSON, with the names of the options.

    reward = ["accuracy=1", "format=0.1"]     # or a table: reward = { accuracy = 1, format = 0.1 }
    truth = "hidden_tests"
    group_size = 8
    fail_on = ["tied_share>0.3"]

Names may be written with hyphens or underscores, in the singular or the plural. What stands on the command line beats
the file, option by option.
"""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.rollouts.reading.hints import did_you_mean
from policycliff.rollouts.reading.option_text import (
    parse_derive,
    parse_noise,
    parse_number_of,
    parse_rerun,
    parse_reward,
)
from policycliff.rollouts.settings import setting_names

_OTHER_NAMES = {"reward": "rewards", "tie_breaker": "tie_breakers", "reruns": "rerun", "max_rewards": "max_reward"}
_WHOLE = ("group_size", "sample", "look_at", "embed", "seed")
_DECIMAL = ("epsilon", "beta", "reward_error", "max_shift")


def read_settings(path: Path) -> dict[str, Any]:
    """The options in a settings file, as keyword arguments of `AuditSettings`, and `fail_on` as a list of texts.

    Raises:
        SourceNotFoundError: No such file.
        InvalidInputError: Not TOML or JSON, an unknown name, or a value of the wrong kind.
    """
    if not path.is_file():
        raise SourceNotFoundError(f"settings file {path} does not exist.")
    plain = _parsed(path)
    options: dict[str, Any] = {}
    for key, value in plain.items():
        name = _setting_name(path, key)
        if name in options:
            raise InvalidInputError(f"settings file {path}: {name!r} is given twice.")
        try:
            options[name] = _converted(name, value)
        except (TypeError, AttributeError) as error:
            raise InvalidInputError(
                f"settings file {path}: {key!r} has a value of the wrong kind: {value!r}."
            ) from error
        except InvalidInputError as error:
            raise InvalidInputError(f"settings file {path}: {error}") from error
    return options


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        parsed = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise InvalidInputError(f"settings file {path} is not valid {kind}: {error}.") from error
    except OSError as error:
        raise InvalidInputError(f"settings file {path} cannot be read: {error.strerror}.") from error
    if not isinstance(parsed, dict):
        raise InvalidInputError(f"settings file {path} must hold an object of options, got {type(parsed).__name__}.")
    return parsed


def _setting_name(path: Path, key: str) -> str:
    known = (*setting_names(), "fail_on")
    name = key.replace("-", "_")
    name = _OTHER_NAMES.get(name, name)
    if name not in known:
        shown = (*known, *_OTHER_NAMES)
        raise InvalidInputError(
            f"settings file {path} has an unknown option {key!r}.{did_you_mean(name, shown)} "
            f"The options are: {', '.join(known)}."
        )
    return name


def _converted(name: str, value: Any) -> Any:
    if name in _CONVERTERS:
        return _CONVERTERS[name](value)
    if name in _WHOLE or name in _DECIMAL:
        return _number(name, value)
    if not isinstance(value, str):
        raise InvalidInputError(f"{name!r} must be text, got {value!r}.")
    return value


def _number(name: str, value: Any) -> int | float:
    kinds = int if name in _WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "a whole number" if name in _WHOLE else "a number"
        raise InvalidInputError(f"{name!r} must be {kind}, got {value!r}.")
    return value if name in _WHOLE else float(value)


def _pairs(parse: Callable[[str], tuple[str, Any]], kind: type) -> Callable[[Any], tuple[tuple[str, Any], ...]]:
    """A converter of a table, a list of texts or one text to pairs."""

    def convert(value: Any) -> tuple[tuple[str, Any], ...]:
        if isinstance(value, dict):
            return tuple((key, _of_kind(key, item, kind)) for key, item in value.items())
        return tuple(parse(text) for text in _texts(value))

    return convert


def _of_kind(key: str, value: Any, kind: type) -> Any:
    accepted = (int, float) if kind is float else kind
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise InvalidInputError(f"{key!r} must be {'a number' if kind is float else 'text'}, got {value!r}.")
    return kind(value)


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidInputError(f"expected text or a list of texts, got {value!r}.")
    return texts


def _noise(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _of_kind(key, item, float)) for key, item in value.items())
    items = value if isinstance(value, list) else [value]
    return parse_noise([item if isinstance(item, str) else str(_of_kind("noise", item, float)) for item in items])


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "rewards": _pairs(parse_reward, float),
    "derive": _pairs(parse_derive, str),
    "rerun": _pairs(parse_rerun, str),
    "max_reward": _pairs(lambda text: parse_number_of(text, "max_reward", "value"), float),
    "noise": _noise,
    "fail_on": _texts,
    "tie_breakers": lambda value: tuple(_texts(value)),
}
