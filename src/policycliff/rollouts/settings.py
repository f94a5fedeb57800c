"""What an audit is asked to do: one immutable value, the same from Python, the command line and a settings file."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from policycliff.errors import InvalidInputError

Missing = Literal["omit", "zero", "error"]
Aggregation = Literal["sum_then_normalize", "normalize_then_sum"]

LARGEST_NUMBER = 1e75
"""Greatest score, weight or coefficient: the square of a weighted sum must not overflow."""

MOST_EMBEDDED = 200
"""Most prompts of a sample that a page embeds: it has to stay small."""

EFFECTIVE = "effective"
"""Name of the weighted sum of the reward columns (Lemma 4.2) wherever rewards are listed by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Settings of `policycliff.audit`; column names are None where they are to be guessed or are not used.

    Attributes:
        format: Name of the files' format, as in `docs/reference/formats.md`; None to find it out.
        prompt: Column with the prompt's text.
        group: Column that names the group of completions that compete with each other.
        group_size: Completions a group, for tables whose groups are consecutive blocks of rows.
        step: Column with the training step; groups never span steps.
        completion: Column with the completion's text.
        source: Column that says which model, decoder or person wrote the completion.
        behaviour: Column whose values are the behaviours, for example an extracted answer; None for the text itself.
        rewards: Reward columns and their weights, in order; empty to guess.
        derive: New columns, name to SQL expression over the table's columns.
        truth: Column with a reward that is not trained on.
        tie_breakers: Numeric columns to consider as tie-breakers beside the rewards; empty for all others.
        max_reward: Greatest possible value of a reward column, by name: tells solved prompts from hopeless ones.
        main_reward: The reward that a shaping term must not replace; None for the one of largest absolute weight.
        noise: Standard deviation of one score, by reward name (reward units); "auto" estimates, None says nothing.
            The name `*` stands for every reward column.
        rerun: Column with a second, independent score of the same completion, by reward name.
        missing: What to do with missing, NaN and infinite scores.
        aggregation: How components become one advantage: TRL's `multi_objective_aggregation`.
        epsilon: Added to the group's standard deviation before dividing by it (TRL: 1e-4).
        beta: KL coefficient at which policies are compared, in reward units; None for the effective reward's
            median within-prompt standard deviation.
        reward_error: Reward error that the advice guards against, in units of the effective reward; None for
            the noise if it is known, else a tenth of the within-prompt scale.
        max_shift: Total variation that the advice allows the policy to move, between 0 and 1.
        sample: Audit this many prompts, drawn at random; None for all.
        look_at: How many boundary prompts to list.
        embed: How many prompts a page embeds, to recompute them in the browser; those to look at are among them.
        seed: Seed of every random draw (bootstrap, noise simulation, `sample`).
        named: Names of the settings that the user gave, no setting itself: what the files say of others is taken.
    """

    format: str | None = None
    prompt: str | None = None
    group: str | None = None
    group_size: int | None = None
    step: str | None = None
    completion: str | None = None
    source: str | None = None
    behaviour: str | None = None
    rewards: tuple[tuple[str, float], ...] = ()
    derive: tuple[tuple[str, str], ...] = ()
    truth: str | None = None
    tie_breakers: tuple[str, ...] = ()
    max_reward: tuple[tuple[str, float], ...] = ()
    main_reward: str | None = None
    noise: tuple[tuple[str, float], ...] | Literal["auto"] | None = "auto"
    rerun: tuple[tuple[str, str], ...] = ()
    missing: Missing = "omit"
    aggregation: Aggregation = "sum_then_normalize"
    epsilon: float = 1e-4
    beta: float | None = None
    reward_error: float | None = None
    max_shift: float = 0.1
    sample: int | None = None
    look_at: int = 10
    embed: int = MOST_EMBEDDED
    seed: int = 0
    named: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_choice("missing", self.missing, get_args(Missing))
        _require_choice("aggregation", self.aggregation, get_args(Aggregation))
        for name in ("group_size", "sample"):
            _require_positive(name, getattr(self, name))
        for name in ("epsilon", "beta", "reward_error"):
            _require_positive(name, getattr(self, name))
        if not 0.0 < self.max_shift < 1.0:
            raise InvalidInputError(f"max_shift must lie strictly between 0 and 1, got {self.max_shift}.")
        if self.look_at < 0:
            raise InvalidInputError(f"look_at must be 0 or more, got {self.look_at}.")
        _require_up_to("embed", self.embed, MOST_EMBEDDED)
        if self.group is not None and self.group_size is not None:
            raise InvalidInputError(
                "group and group_size cannot both be given: a group column already says which rows belong together. "
                "Drop one of them."
            )
        _require_numbers("reward weight", self.rewards)
        _require_numbers("max_reward", self.max_reward)
        if isinstance(self.noise, tuple):
            _require_numbers("noise", self.noise)
            negative = [name for name, sigma in self.noise if sigma < 0]
            if negative:
                raise InvalidInputError(f"noise of {negative[0]!r} is a standard deviation and cannot be negative.")
        names = [name for name, _ in self.rewards]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InvalidInputError(f"reward {repeated[0]!r} is given twice; give each reward once, with its weight.")
        if EFFECTIVE in names:
            raise InvalidInputError(
                f"a reward cannot be named {EFFECTIVE!r}: that is the weighted sum. Rename it with derive."
            )

    def says(self, name: str) -> bool:
        """Whether it says something of a setting: a value other than the default, or the default by name."""
        value = getattr(self, name)
        return value not in (None, (), "") and (name in self.named or value != _DEFAULTS[name])

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types; pairs become objects."""
        plain = asdict(self)
        del plain["named"]
        for name in ("rewards", "derive", "max_reward", "rerun"):
            plain[name] = dict(plain[name])
        plain["tie_breakers"] = list(self.tie_breakers)
        if isinstance(self.noise, tuple):
            plain["noise"] = dict(self.noise)
        return plain


_DEFAULTS = {item.name: item.default for item in fields(AuditSettings) if item.name != "named"}


def setting_names() -> tuple[str, ...]:
    """Names of all settings, in the order of the documentation."""
    return tuple(_DEFAULTS)


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidInputError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")


def _require_positive(name: str, value: int | float | None) -> None:
    if value is not None and not 1.0 / LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise InvalidInputError(f"{name} must be a positive number up to {LARGEST_NUMBER:g}, got {value!r}.")


def _require_up_to(name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise InvalidInputError(f"{name} must be a whole number from 0 to {most}, got {value!r}.")


def _require_numbers(name: str, pairs: tuple[tuple[str, float], ...]) -> None:
    for key, value in pairs:
        if not abs(value) <= LARGEST_NUMBER:
            raise InvalidInputError(
                f"{name} of {key!r} must be a finite number up to {LARGEST_NUMBER:g}, got {value!r}."
            )
