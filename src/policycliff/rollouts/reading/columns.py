"""Which column plays which part: given by the user, guessed where the name is obvious, or absent.

Guesses look at names and types only and are always reported. A truth column and a behaviour column are never guessed:
what counts as true, and what counts as the same, is for the user to say.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.hints import did_you_mean
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings

Origin = Literal["given", "guessed", "absent"]

GROUP_NAMES = (
    *("prompt_id", "group_id", "group", "uid", "question_id", "problem_id", "task_id", "example_id"),
    *("doc_id", "instance_id", "prompt_idx", "group_idx", "prompt_index"),
)
PROMPT_NAMES = ("prompt", "question", "instruction", "input", "problem", "query", "prompts")
COMPLETION_NAMES = (
    *("completion", "response", "output", "answer_text", "generation", "generated_text", "completions"),
    *("responses", "solution_str", "model_output"),
)
_TEXT_FOR_SURE = ("prompt", "question", "completion", "response")
SOURCE_NAMES = ("source", "model", "generator", "model_name", "policy")
STEP_NAMES = ("step", "global_step", "training_step")
_TOTAL = re.compile(r"^(total_|final_)?(rewards?|scores?)$|^(rewards?|scores?)_total$")
_COMPONENT = re.compile(r"^rewards?[._/:-].+|.+[._/:-]reward$|.+[._/:-]score$|^scores?[./:].+")
_NO_REWARD = re.compile(r"[._/:-](std|mean|var|weight|weights|id|idx|rank|rerun|threshold|error|baseline|scale)$")
MAX_CANDIDATES = 32
_SHOWN_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Role:
    """A column and why it plays its part."""

    column: str | None = None
    origin: Origin = "absent"

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"column": self.column, "origin": self.origin}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The parts that the table's columns play.

    Attributes:
        group: Given, or the first guess; `group_guesses` lists all, because a guess that names single rows is dropped.
        rewards: Reward columns with their weights.
        reruns: Second scores: reward, column.
        candidates: The tie-breakers named, else the other numeric columns, at most `MAX_CANDIDATES`.
    """

    prompt: Role
    group: Role
    group_guesses: tuple[str, ...]
    step: Role
    completion: Role
    source: Role
    behaviour: Role
    truth: Role
    rewards: tuple[tuple[str, float], ...]
    rewards_origin: Origin
    reruns: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def score_names(self) -> tuple[str, ...]:
        """Every column that is read as numbers, once."""
        truth = () if self.truth.column is None else (self.truth.column,)
        names = (*(name for name, _ in self.rewards), *truth, *(name for _, name in self.reruns), *self.candidates)
        return tuple(dict.fromkeys(names))

    def label_names(self) -> tuple[str, ...]:
        """Every column that is read as text or as a name, once."""
        roles = (self.prompt, self.group, self.step, self.completion, self.source, self.behaviour)
        names = (*(role.column for role in roles if role.column is not None), *self.group_guesses)
        return tuple(dict.fromkeys(names))


def resolve_columns(schema: Mapping[str, DataType], settings: AuditSettings) -> Columns:
    """Decide which column plays which part.

    >>> schema = {"prompt": pl.String(), "response": pl.String(), "score": pl.Float64()}
    >>> columns = resolve_columns(schema, AuditSettings())
    >>> columns.completion, columns.rewards
    (Role(column='response', origin='guessed'), (('score', 1.0),))

    Raises:
        TableError: A given column is not in the table, or no reward is found; the message lists the columns there are.
        InvalidInputError: Settings that name a reward which is not audited, or a truth that is also a reward.
    """
    _require_columns(schema, settings)
    taken = set(_given_names(settings))
    guesses = {
        "prompt": _guess(schema, PROMPT_NAMES, taken, _is_text),
        "completion": _guess(schema, COMPLETION_NAMES, taken, _is_text),
        "source": _guess(schema, SOURCE_NAMES, taken, _is_word),
        "step": _guess(schema, STEP_NAMES, taken, _is_whole),
    }
    roles = {name: _role(getattr(settings, name), names) for name, names in guesses.items()}
    free = settings.group is None and settings.group_size is None
    group_guesses = _guess(schema, GROUP_NAMES, taken, _is_name) if free else ()
    rewards, origin, notes = _resolve_rewards(schema, settings, taken)
    _require_known_rewards(settings, [name for name, _ in rewards])
    columns = Columns(
        **roles,
        group=_role(settings.group, group_guesses),
        group_guesses=group_guesses,
        behaviour=_role(settings.behaviour, ()),
        truth=_role(settings.truth, ()),
        rewards=rewards,
        rewards_origin=origin,
        reruns=settings.rerun,
        candidates=(),
        notes=notes,
    )
    return _with_candidates(columns, schema, settings)


def is_numeric(dtype: DataType) -> bool:
    """Whether a column can be read as scores: numbers, or booleans as 0 and 1.

    >>> is_numeric(pl.Boolean()), is_numeric(pl.String())
    (True, False)
    """
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def missing_column(name: str, role: str, schema: Collection[str]) -> TableError:
    """The error of a column that is not in the table: lists the columns there are."""
    return TableError(
        f"the table has no column {name!r} ({role}).{did_you_mean(name, schema)} Its columns are: {_listed(schema)}."
    )


def _given_names(settings: AuditSettings) -> dict[str, str]:
    """Column to role of everything the settings name."""
    single = ("prompt", "group", "step", "completion", "source", "behaviour", "truth")
    given = {getattr(settings, role): role for role in single if getattr(settings, role) is not None}
    given |= dict.fromkeys(settings.tie_breakers, "tie-breaker")
    given |= {name: "reward" for name, _ in settings.rewards}
    return given | {column: f"rerun of {reward}" for reward, column in settings.rerun}


def _require_columns(schema: Mapping[str, DataType], settings: AuditSettings) -> None:
    for name, role in _given_names(settings).items():
        if name not in schema:
            raise missing_column(name, role, schema)
    if settings.truth is not None and settings.truth in {name for name, _ in settings.rewards}:
        raise InvalidInputError(
            f"{settings.truth!r} is given as reward and as truth; the truth is a column that is not trained on."
        )


def _guess(
    schema: Mapping[str, DataType], names: tuple[str, ...], taken: set[str], fits: Callable[[str, DataType], bool]
) -> tuple[str, ...]:
    by_lower = {name.lower(): name for name in reversed(list(schema)) if name not in taken}
    return tuple(by_lower[name] for name in names if name in by_lower and fits(name, schema[by_lower[name]]))


def _role(given: str | None, guesses: tuple[str, ...]) -> Role:
    if given is not None:
        return Role(given, "given")
    return Role(guesses[0], "guessed") if guesses else Role()


def _resolve_rewards(
    schema: Mapping[str, DataType], settings: AuditSettings, taken: set[str]
) -> tuple[tuple[tuple[str, float], ...], Origin, tuple[str, ...]]:
    if settings.rewards:
        return settings.rewards, "given", ()
    found = [name for name in schema if name not in taken and _looks_like_reward(name)]
    numeric = [name for name in found if is_numeric(schema[name])]
    if not numeric:
        if found:
            return ((found[0], 1.0),), "guessed", ()
        raise _no_reward(schema)
    totals = [name for name in numeric if _TOTAL.match(name.lower())]
    if not totals or len(numeric) == 1:
        return tuple((name, 1.0) for name in numeric), "guessed", ()
    others = [name for name in numeric if name != totals[0]]
    note = (
        f"{totals[0]!r} is taken for the total reward (weight 1) and {', '.join(others)} for its parts (weight 0, "
        "audited on their own). Give the rewards with their weights if that is wrong."
    )
    return ((totals[0], 1.0), *((name, 0.0) for name in others)), "guessed", (note,)


def _looks_like_reward(name: str) -> bool:
    lower = name.lower()
    return bool(_TOTAL.match(lower) or _COMPONENT.match(lower)) and not _NO_REWARD.search(lower) and lower != EFFECTIVE


def _no_reward(schema: Mapping[str, DataType]) -> TableError:
    numeric = [name for name, dtype in schema.items() if is_numeric(dtype)]
    if not schema:
        return TableError("the table has no columns.")
    if not numeric:
        return TableError(f"the table has no numeric column to take as reward. Its columns are: {_listed(schema)}.")
    return TableError(
        f"no reward column found by name. Say which to audit: reward {numeric[0]!r}, for example. "
        f"The numeric columns are: {_listed(numeric)}."
    )


def _require_known_rewards(settings: AuditSettings, rewards: list[str]) -> None:
    named = {
        "max_reward": [name for name, _ in settings.max_reward],
        "rerun": [name for name, _ in settings.rerun],
        "noise": [name for name, _ in settings.noise if name != "*"] if isinstance(settings.noise, tuple) else [],
        "main_reward": [settings.main_reward] if settings.main_reward is not None else [],
    }
    for setting, names in named.items():
        for name in names:
            if name not in rewards and not (setting == "max_reward" and name == EFFECTIVE):
                raise InvalidInputError(
                    f"{setting} names {name!r}, which is not one of the rewards ({', '.join(rewards)})."
                    f"{did_you_mean(name, rewards)}"
                )


def _with_candidates(columns: Columns, schema: Mapping[str, DataType], settings: AuditSettings) -> Columns:
    if settings.tie_breakers:
        rewards = {name for name, _ in columns.rewards}
        return replace(columns, candidates=tuple(name for name in settings.tie_breakers if name not in rewards))
    used = {*columns.score_names(), *columns.label_names()}
    free = [name for name, dtype in schema.items() if name not in used and is_numeric(dtype) and dtype != pl.Null]
    notes = columns.notes
    if len(free) > MAX_CANDIDATES:
        notes = (*notes, f"{len(free)} further numeric columns; the first {MAX_CANDIDATES} are tried as tie-breakers.")
    return replace(columns, candidates=tuple(free[:MAX_CANDIDATES]), notes=notes)


def _is_text(name: str, dtype: DataType) -> bool:
    """Text or messages; numbers only where the name leaves no doubt (a short answer such as 42 is read as a number)."""
    text = dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null) or dtype.is_nested()
    return text or (name in _TEXT_FOR_SURE and dtype.is_numeric())


def _is_word(_name: str, dtype: DataType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def _is_whole(_name: str, dtype: DataType) -> bool:
    return dtype.is_numeric()


def _is_name(_name: str, dtype: DataType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer()


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_SHOWN_COLUMNS])
    return shown if len(listed) <= _SHOWN_COLUMNS else f"{shown} and {len(listed) - _SHOWN_COLUMNS} more"
