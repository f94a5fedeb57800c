"""The model of an environment that publishes none: put it into every state, take every action, see every outcome.

An inner state is all that the environment's attributes hold (`snapshots`); random numbers branch with exact
probabilities (`draws`). Breadth first from every outcome of `reset`, until nothing new appears. A state is terminal
when the step into it says `terminated`.

Then inner states that show the same and behave the same for ever after (such as two
that differ in the action taken last, kept for drawing) are merged: the coarsest partition finer than what is observed
whose blocks agree in expected rewards and in probabilities of next blocks, as fractions.

What is checked: no attribute that could hide state is left unread; steps repeated from the same state give the same; no
global random generator was touched; and the real environment, with its own generator, takes some thousand steps that
must all be in the model. What is not: an environment that reads a clock, a file or the network, or whose `reset` keeps
something of the last episode that matters (the model is that of a first episode).

Rewards of type float32 are read as the decimals that they print as (8.2, not 8.19999980926...).

Cost: states x actions x outcomes steps of the environment, about 20 microseconds each, and two copies of each state.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from policycliff.mdp.messages import fail
from policycliff.mdp.sources.draws import Draws, decimal, outcomes, scripted_random_module, untouched
from policycliff.mdp.sources.enumerated_model import model_source
from policycliff.mdp.sources.exploration import Exploration, Step
from policycliff.mdp.sources.known_environments import KNOWN, NOTHING_KNOWN, KnownEnvironment
from policycliff.mdp.sources.snapshots import FreshStart, Frozen, MovingAttributeError, Snapshots
from policycliff.mdp.sources.source import MDPSource

_MAX_STATES, _MAX_CONTINUOUS = 1_000_000, 20_000
_OFTEN, _SELDOM = 200, 500
_REHEARSAL_EPISODES, _REHEARSAL_STEPS = 10, 200


def enumerated_source(
    env: Any,
    name: str,
    *,
    gamma: float | None,
    notes: tuple[str, ...],
    max_states: int | None,
    progress: Callable[[str, float], None],
) -> MDPSource:
    """The model of an environment with vector rewards, by enumeration.

    Raises:
        InvalidInputError: its actions are not finitely many, its states seem not to be, or its state or its random
            draws cannot be enumerated soundly.
    """
    n_actions = _number_of_actions(env, name)
    limit = _limit(env, max_states)
    known = KNOWN.get(type(env).__name__, NOTHING_KNOWN)
    fresh = FreshStart(env)
    moving: frozenset[str] = frozenset()
    while True:
        try:
            found = _explore(env, name, known, moving, n_actions=n_actions, limit=limit, fresh=fresh, progress=progress)
            break
        except MovingAttributeError as error:
            moving |= error.names
    _rehearse(env, name, known, found, n_actions=n_actions, fresh=fresh)
    return model_source(found, name, known=known, n_actions=n_actions, gamma=gamma, notes=notes)


def _explore(
    env: Any,
    name: str,
    known: KnownEnvironment,
    moving: frozenset[str],
    *,
    n_actions: int,
    limit: int,
    fresh: FreshStart,
    progress: Callable[[str, float], None],
) -> Exploration:
    """Every inner state, breadth first."""
    fresh.restore()
    found = Exploration(Snapshots(env, moving))
    waiting: deque[int] = deque()
    scene = _Scene(env, known, found, waiting, fresh)
    with scripted_random_module(lambda: env._np_random):  # noqa: SLF001
        for probability, number in outcomes(scene.reset):
            found.initial[number] = found.initial.get(number, Fraction(0)) + probability
        found.snapshots.rebase()
        expanded = 0
        while waiting:
            state = waiting.popleft()
            found.steps[state] = [scene.expand(state, action) for action in range(n_actions)]
            expanded += 1
            if expanded < _OFTEN or expanded % _SELDOM == 0:
                found.snapshots.check_content()
                _check_repeatable(scene, state, found.steps[state], name)
                progress(f"{len(found.states)} states found", expanded / len(found.states))
            if len(found.states) > limit:
                raise fail(
                    got=f"{name} with more than {limit} states",
                    expected="a model that is finite and not larger",
                    remedy="It may be continuous, or count something without bound; --max-states raises the limit.",
                )
        found.snapshots.check_content()
    return found


@dataclass(frozen=True, slots=True)
class _Scene:
    """An environment that is put into states and stepped."""

    env: Any
    known: KnownEnvironment
    found: Exploration
    waiting: deque[int]
    fresh: FreshStart

    def reset(self, draws: Draws) -> int:
        """The first state under these draws."""
        self.fresh.restore()
        self.env._np_random = draws  # noqa: SLF001
        with untouched():
            observation, _ = self.env.reset()
        return self._number(observation, terminated=False)

    def expand(self, state: int, action: int) -> list[Step]:
        """All outcomes of an action."""
        return [Step(probability, *rest) for probability, rest in outcomes(lambda rng: self._step(rng, state, action))]

    def _step(self, draws: Draws, state: int, action: int) -> tuple[int, tuple[float, ...]]:
        self.found.snapshots.restore(self.found.states[state])
        self.env._np_random = draws  # noqa: SLF001
        with untouched():
            observation, reward, terminated, _, _ = self.env.step(action)
        return self._number(observation, terminated=bool(terminated)), exact_rewards(reward)

    def _number(self, observation: Any, *, terminated: bool) -> int:
        """Number of the state that the environment is in; a new one where it was not seen."""
        if self.known.simplify is not None:
            self.known.simplify(self.env)
        found = self.found
        found.snapshots.check_rebound()
        key = (terminated, found.snapshots.key())
        number = found.numbers.setdefault(key, len(found.states))
        if number == len(found.states):
            found.states.append(found.snapshots.take())
            found.observations.append(flat_observation(observation))
            found.terminal.append(terminated)
            found.steps.append([])
            if not terminated:
                self.waiting.append(number)
        return number


def exact_rewards(reward: Any) -> tuple[float, ...]:
    """The components as floats; float32 by its shortest decimal."""
    values = np.atleast_1d(np.asarray(reward))
    if values.dtype == np.float32:
        return tuple(_printed(value) for value in values.tolist())
    return tuple(float(value) for value in values)


@lru_cache(maxsize=100_000)
def _printed(value: float) -> float:
    """A number that was float32 as the decimal that it prints as."""
    return float(decimal(np.float32(value)))


def flat_observation(observation: Any) -> tuple[Any, ...]:
    """Numbers of an observation, one after another; dictionaries in the order of their keys."""
    if isinstance(observation, dict):
        return tuple(item for value in observation.values() for item in flat_observation(value))
    values = np.asarray(observation)
    return tuple(values.ravel().tolist())


def _check_repeatable(scene: _Scene, state: int, steps: list[list[Step]], name: str) -> None:
    """Raise if the same actions from the same state give something else."""
    for action, before in enumerate(steps):
        if scene.expand(state, action) != before:
            raise fail(
                got=f"{name}, which steps differently from one state (state {state}, action {action})",
                expected="an environment whose attributes are its whole state",
                remedy="Write the model to a file instead.",
            )


def _rehearse(
    env: Any, name: str, known: KnownEnvironment, found: Exploration, *, n_actions: int, fresh: FreshStart
) -> None:
    """Let the environment take real steps; each must be in the model.

    Raises:
        InvalidInputError: one is not.
    """
    rng = np.random.default_rng(0)
    for episode in range(_REHEARSAL_EPISODES):
        fresh.restore()
        env.reset(seed=episode)
        state = found.numbers.get((False, _key(env, known, found)), -1)
        for _ in range(_REHEARSAL_STEPS):
            action = int(rng.integers(n_actions))
            _, reward, terminated, _, _ = env.step(action)
            target = found.numbers.get((bool(terminated), _key(env, known, found)), -1)
            possible = found.steps[state][action] if state >= 0 else []
            if not any(step.target == target and step.rewards == exact_rewards(reward) for step in possible):
                raise fail(
                    got=f"{name}, which took a step that the enumeration does not have (action {action})",
                    expected="every step of the environment to be in its model",
                    remedy="Write the model to a file instead.",
                )
            state = target
            if terminated:
                break


def _key(env: Any, known: KnownEnvironment, found: Exploration) -> Frozen:
    if known.simplify is not None:
        known.simplify(env)
    return found.snapshots.key()


def _number_of_actions(env: Any, name: str) -> int:
    space = env.action_space
    size = getattr(space, "n", None)
    if size is None or int(getattr(space, "start", 0)) != 0:
        raise fail(
            got=f"{name} with the actions {space}",
            expected="finitely many actions, numbered from 0",
            remedy="Choose an environment with a Discrete action space.",
        )
    return int(size)


def _limit(env: Any, max_states: int | None) -> int:
    """Continuous observations mostly mean infinitely many states: give up early there."""
    if max_states is not None:
        return max_states
    kind = getattr(getattr(env.observation_space, "dtype", None), "kind", "i")
    return _MAX_CONTINUOUS if kind == "f" else _MAX_STATES
