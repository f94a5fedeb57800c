"""An environment by its id, of Gymnasium or MO-Gymnasium, made with options and without its time limit."""

import inspect
import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.extras import require
from policycliff.mdp.messages import fail
from policycliff.mdp.sources.enumeration import enumerated_source
from policycliff.mdp.sources.source import MDPSource
from policycliff.mdp.sources.toy_text import toy_text_source

ENVIRONMENT_ID = re.compile(r"(?:(?P<package>gymnasium|gym|mo-gymnasium|mo_gymnasium|mo-gym):)?(?P<id>[\w.-]+-v\d+)")
_WORDS = {"true": True, "false": False, "none": None, "null": None}
_FICKLE = "fickle_passenger"


def parse_options(texts: Mapping[str, str]) -> dict[str, Any]:
    """Options of an environment from text: numbers, true, false and none as such, the rest as text.

    >>> parse_options({"is_slippery": "False", "map_name": "8x8", "size": "5"})
    {'is_slippery': False, 'map_name': '8x8', 'size': 5}
    """
    return {name: _value(text) for name, text in texts.items()}


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def environment_source(
    text: str,
    *,
    options: Mapping[str, Any],
    gamma: float | None,
    max_states: int | None,
    progress: Callable[[str, float], None],
) -> MDPSource:
    """The model behind an environment's id.

    Args:
        text: the id, optionally with the package before a colon.
        options: keyword arguments of the environment.
        gamma: discount; None for the default.
        max_states: where an enumeration stops, or None for a default.
        progress: takes what is being done and the share behind.

    Raises:
        InvalidInputError: no such environment or option, or one without a finite model.
        MissingExtraError: Gymnasium or MO-Gymnasium is not installed.
    """
    match = ENVIRONMENT_ID.fullmatch(text)
    if match is None:
        raise fail(got=repr(text), expected="an id such as FrozenLake-v1", remedy="Check the id.")
    env, called = _made(match["package"], match["id"], dict(options))
    try:
        notes = _notes(env)
        bare = env.unwrapped
        shown = called + "".join(f", {name}={value}" for name, value in options.items())
        if hasattr(bare, "P"):
            if getattr(bare, _FICKLE, False):
                raise fail(
                    got=f"{_FICKLE}=True",
                    expected="an option that the table `P` knows; the environment changes the destination outside it",
                    remedy=f"Leave {_FICKLE} out.",
                )
            return toy_text_source(bare, shown, gamma=gamma, notes=notes)
        if not hasattr(bare, "reward_space"):
            raise fail(
                got=f"{called}, which has no table `P` of its model",
                expected="a tabular environment (FrozenLake, CliffWalking, Taxi) or one of MO-Gymnasium that is finite",
                remedy="Write its model to a .npz or .json file.",
            )
        return enumerated_source(bare, shown, gamma=gamma, notes=notes, max_states=max_states, progress=progress)
    finally:
        env.close()


def _made(package: str | None, env_id: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The environment, from MO-Gymnasium if it is meant or needed."""
    gymnasium = require("gymnasium", extra="gym", purpose=env_id)
    several = package is not None and package.startswith("mo")
    if several or (package is None and env_id not in gymnasium.registry):
        _import_mo_gymnasium(env_id, needed=several)
    _check_options(env_id, options, gymnasium)
    env = _make(gymnasium.make, env_id, options, gymnasium)
    home = "mo-gymnasium" if type(env.unwrapped).__module__.startswith("mo_gymnasium") else "gymnasium"
    return env, f"{home}:{env_id}"


def _import_mo_gymnasium(env_id: str, *, needed: bool) -> None:
    """Importing it registers its environments with Gymnasium."""
    try:
        require("mo_gymnasium", extra="gym", purpose=env_id)
    except ImportError:
        if needed:
            raise


def _check_options(env_id: str, options: dict[str, Any], gymnasium: Any) -> None:
    """Raise where an option is True or False, or a number, by default and something else is given.

    Gymnasium passes options on as they are, and any word is true to Python.
    """
    try:
        entry = gymnasium.spec(env_id).entry_point
        creator = entry if callable(entry) else gymnasium.envs.registration.load_env_creator(entry)
        known = inspect.signature(creator).parameters
    except (gymnasium.error.Error, ImportError, AttributeError, TypeError, ValueError):
        return  # `make` says what is wrong with the id.
    for name, value in options.items():
        default = known[name].default if name in known else None
        flag, number = isinstance(default, bool), isinstance(default, int | float)
        given_flag = isinstance(value, bool | np.bool_)
        given_number = isinstance(value, int | float | np.number) and not given_flag
        if (flag and not given_flag) or (number and not flag and not given_number):
            raise fail(
                got=f"the option {name} = {value!r} of {env_id}",
                expected=f"{'true or false' if flag else 'a number'}; by default it is {default}",
                remedy="Correct it, or leave it out.",
            )


def _make(make: Callable[..., Any], env_id: str, options: dict[str, Any], gymnasium: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(env_id, disable_env_checker=True, **options)
    except (gymnasium.error.Error, TypeError, ValueError, AssertionError, KeyError, ImportError) as error:
        raise InvalidInputError(
            f"Got {env_id} with the options {options}; expected an environment that can be made ({error}). "
            "Check the id and the options."
        ) from error


def _notes(env: Any) -> tuple[str, ...]:
    """What is left out by reading the model."""
    limit = getattr(env.spec, "max_episode_steps", None)
    if limit is None:
        return ()
    return (f"The time limit of {limit} steps (truncation) is not part of the model.",)
