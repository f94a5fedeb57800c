"""The main job: a table of rollouts in, the audit of its rewards out.

`audit` reads the table, scores every behaviour under every reward column and under their weighted sum (the effective
reward, Lemma 4.2), and asks of each where it is tied, how near the cliff is, what would push it over and what that
costs. The result is one tree of JSON types (`Audit.to_dict`), whose keys `docs/reference/audit-json.md` documents; the
terminal table and the HTML page are functions of it.
"""

import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from importlib.metadata import version
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.advice import coefficient_advice, tie_breakers
from policycliff.rollouts.analyses.boundary import boundary_prompts, drop_list
from policycliff.rollouts.analyses.degeneracy import Aspect
from policycliff.rollouts.analyses.figures import RewardAudit, audit_reward, max_reward_of, weighted_parts
from policycliff.rollouts.analyses.noise import NOISE_MARGIN, Noise, noise_of_column, noise_of_effective
from policycliff.rollouts.analyses.normalisation import main_reward_name, normalisation_figures, phantom_advantages
from policycliff.rollouts.analyses.pairs import compare_pair, mixed_sources_share
from policycliff.rollouts.analyses.price import truth_figures
from policycliff.rollouts.analyses.radius import within_prompt_scale
from policycliff.rollouts.analyses.steps import step_figures
from policycliff.rollouts.analyses.verdict import verdict
from policycliff.rollouts.analyses.weights import walls, weight_figures
from policycliff.rollouts.intervals import RESAMPLES, with_intervals
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import Reward, Scored, Scorer, column_reward, effective_reward_of, scorer_of
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable

SCHEMA_VERSION = 1

_THREADS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of the work that is behind, between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Result of an audit.

    Attributes:
        result: The whole result as JSON types.
    """

    result: dict[str, Any]

    @property
    def verdict(self) -> list[dict[str, Any]]:
        """The findings in plain words, ties first and then by severity: `statement`, `severity`, `figure`, `text`."""
        return self.result["verdict"]

    def to_dict(self) -> dict[str, Any]:
        """The whole result as JSON types."""
        return self.result

    def __repr__(self) -> str:
        counts = self.result["counts"]
        lines = [f"Audit of {counts['prompts']} prompts, {counts['completions']} completions"]
        return "\n".join([*lines, *(f"  [{item['severity']}] {item['text']}" for item in self.verdict)])


def audit(table: Any, *, progress: Progress | None = None, **options: Any) -> Audit:
    """Audit a table of rollouts.

    Args:
        table: Path of a Parquet, JSON Lines or CSV file, a directory or glob of them; or a Polars or pandas frame, an
            Arrow table or a Hugging Face Dataset.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`. `rewards`, `derive`, `max_reward`, `noise` and `rerun` may be given as
            dictionaries; `rewards` also as a list of column names, each of weight 1; `noise` also as a number.

    Returns:
        The audit; see `docs/reference/audit-json.md`.

    Raises:
        TableError: The table is broken, empty or lacks a column.
        InvalidInputError: An option cannot be right.
        SourceNotFoundError: No such file.

    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "prompt": ["2+2?", "2+2?", "2+2?"], "completion": ["4", "four", "5"], "passes": [1.0, 1.0, 0.0]
    ... })
    >>> figures = audit(table, rewards=["passes"]).to_dict()["rewards"]["passes"]
    >>> figures["tied_share"]["value"], figures["tied_size_mean"]["value"]
    (1.0, 2.0)
    """
    return run_audit(load_rollouts(table, settings_from_options(options)), progress)


def settings_from_options(options: dict[str, Any]) -> AuditSettings:
    """Settings from keyword options; dictionaries, lists of names and a single number are accepted where they fit."""
    known = {item.name for item in fields(AuditSettings)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise InvalidInputError(f"audit has no option {unknown[0]!r}; its options are {', '.join(sorted(known))}.")
    plain = dict(options)
    rewards = plain.get("rewards", ())
    if isinstance(rewards, str):
        plain["rewards"] = ((rewards, 1.0),)
    elif not isinstance(rewards, dict):
        plain["rewards"] = tuple((item, 1.0) if isinstance(item, str) else tuple(item) for item in rewards)
    breakers = plain.get("tie_breakers", ())
    plain["tie_breakers"] = (breakers,) if isinstance(breakers, str) else tuple(breakers)
    if isinstance(plain.get("noise"), int | float):
        plain["noise"] = (("*", float(plain["noise"])),)
    for name in ("rewards", "derive", "max_reward", "rerun", "noise"):
        if isinstance(plain.get(name), dict):
            plain[name] = tuple(plain[name].items())
    return AuditSettings(**plain)


def run_audit(loaded: LoadedRollouts, progress: Progress | None = None) -> Audit:
    """Audit a table that has been read already."""
    report, settings = progress or _no_progress, loaded.settings
    table, weights = loaded.table, dict(loaded.rewards)
    rewards = {
        column.name: column_reward(column.name, column.scores, weight=weights[column.name]) for column in table.rewards
    }
    effective = _effective(table, weights, settings)
    truth = None if table.truth is None else column_reward(table.truth.name, table.truth.scores)
    scorer = scorer_of(table)
    _require_prompts(scorer(effective))
    noises = {name: noise_of_column(table, reward, settings) for name, reward in rewards.items()}
    noises[EFFECTIVE] = noise_of_effective(table, effective, noises, settings)

    def audit_one(name: str) -> RewardAudit:
        reward, weight = (effective, None) if name == EFFECTIVE else (rewards[name], weights[name])
        aspects = _aspects(table, noises, leave_out=name)
        return audit_reward(table, scorer, reward, noises[name], aspects, weight=weight, settings=settings)

    names = [EFFECTIVE, *rewards]
    audits = dict(zip(names, _each(audit_one, names, partial(_stage, report, "rewards", 0.1, 0.55)), strict=True))
    main = audits[EFFECTIVE]
    beta, beta_origin = _beta(main.scored, settings)
    pairs = list(combinations(_comparable(rewards, effective, truth), 2))
    tree: dict[str, Any] = {
        "rewards": {name: item.figures for name, item in audits.items()},
        "pairs": _each(
            lambda pair: compare_pair(scorer, *pair, beta=beta), pairs, partial(_stage, report, "pairs", 0.55, 0.75)
        ),
        "mixed_sources_share": mixed_sources_share(table),
    }
    report("weights, truth and advice", 0.75)
    tree |= _analyses_of_effective(
        table, scorer, main, rewards=rewards, weights=weights, truth=truth, settings=settings
    )
    truth_scores = None if table.truth is None else table.truth.scores
    tree["steps"] = step_figures(table, main, truth_scores, epsilon=settings.epsilon)
    report("intervals", 0.85)
    tree = with_intervals(tree, n_prompts=table.n_groups, seed=settings.seed)
    report("verdict", 0.97)
    tree["beta"] = {"value": beta, "origin": beta_origin}
    result = _head(loaded, main) | tree
    result["prompts_to_look_at"] = _look_at(table, main, noises, settings)
    result["verdict"] = verdict(result)
    report("done", 1.0)
    return Audit(_ordered(result))


def _effective(table: RolloutTable, weights: dict[str, float], settings: AuditSettings) -> Reward:
    if all(weight == 0.0 for weight in weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no effective reward. Give one a weight.")
    return effective_reward_of(table, weights, settings)


def _require_prompts(effective: Scored) -> None:
    if effective.layout.n_prompts == 0:
        raise TableError(
            "no prompt has two completions with a usable effective reward. Check --group (prompts with one completion "
            "cannot be audited) and --missing (omit leaves out completions that lack one of the scores)."
        )


def _aspects(table: RolloutTable, noises: dict[str, Noise], *, leave_out: str) -> list[Aspect]:
    """What tied behaviours can differ in: the truth, then the rewards but the one at hand."""
    truth = [] if table.truth is None else [Aspect(table.truth.name, table.truth.scores)]
    others = [column for column in table.rewards if column.name != leave_out]
    return truth + [Aspect(column.name, column.scores, noises[column.name].sigma or 0.0) for column in others]


def _comparable(rewards: dict[str, Reward], effective: Reward, truth: Reward | None) -> list[Reward]:
    """Rewards to compare in pairs: each column, their sum where it is another reward, and the truth."""
    is_one_column = len(effective.components) == 1
    return [*rewards.values(), *([] if is_one_column else [effective]), *([] if truth is None else [truth])]


def _beta(scored: Scored, settings: AuditSettings) -> tuple[float, str]:
    if settings.beta is not None:
        return settings.beta, "given"
    spread = scored.spread[~scored.zero_spread]
    if len(spread) == 0:
        return 1.0, "no prompt has spread: 1"
    return float(np.median(spread)), "median within-prompt standard deviation of the effective reward"


def _reward_error(scored: Scored, noise: Noise, settings: AuditSettings) -> tuple[float, str]:
    if settings.reward_error is not None:
        return settings.reward_error, "given"
    if noise.sigma:
        return NOISE_MARGIN * noise.sigma, f"{NOISE_MARGIN} standard deviations of the noise ({noise.origin})"
    scale, _ = within_prompt_scale(scored)
    return 0.1 * scale, "a tenth of the within-prompt scale"


def _analyses_of_effective(
    table: RolloutTable,
    scorer: Scorer,
    main: RewardAudit,
    *,
    rewards: dict[str, Reward],
    weights: dict[str, float],
    truth: Reward | None,
    settings: AuditSettings,
) -> dict[str, Any]:
    """Weights, truth, normalisation and advice: what is asked of the reward that is trained on."""
    scored = main.scored
    parts = weighted_parts(table, scored, weights, settings)
    error, origin = _reward_error(scored, main.noise, settings)
    phantom = None
    main_reward = rewards[main_reward_name(settings, weights)] if len(rewards) > 1 else None
    known_max = None if main_reward is None else max_reward_of(main_reward, settings)
    if main_reward is not None:
        phantom = phantom_advantages(scored, main_reward, max_reward=known_max)
    others = [Aspect(column.name, column.scores) for column in (*table.rewards, *table.candidates)]
    return {
        "weights": [weight_figures(name, weights[name], walls(scored, part)) for name, part in parts.items()],
        "truth": None if truth is None else truth_figures(scorer, main.reward, truth),
        "normalisation": normalisation_figures(main_reward, phantom, settings),
        "advice": {
            **coefficient_advice(scored, reward_error=error, origin=origin, max_shift=settings.max_shift),
            "tie_breakers": tie_breakers(
                scored, main.consequential, others, None if table.truth is None else table.truth.scores
            ),
            "drop_list": drop_list(table, scored, phantom),
        },
    }


def _look_at(
    table: RolloutTable, main: RewardAudit, noises: dict[str, Noise], settings: AuditSettings
) -> list[dict[str, Any]]:
    aspects = _aspects(table, noises, leave_out=EFFECTIVE)
    return boundary_prompts(
        table,
        main.scored,
        main.consequential,
        aspects,
        truth=aspects[0] if table.truth is not None else None,
        noise=main.noise,
        limit=settings.look_at,
        seed=settings.seed,
    )


def _head(loaded: LoadedRollouts, main: RewardAudit) -> dict[str, Any]:
    table = loaded.table
    sizes = np.diff(table.offsets)
    packages = ("policycliff", "numpy", "polars", "scipy")
    return {
        "schema_version": SCHEMA_VERSION,
        "settings": {
            **loaded.settings.to_dict(),
            "rewards": dict(loaded.rewards),
            "table": loaded.source,
            "format": loaded.format,
            "recognised_by": loaded.recognised_by,
            "columns": loaded.columns,
            "notes": list(loaded.notes),
            "bootstrap_resamples": RESAMPLES,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        },
        "counts": {
            "rows_read": loaded.rows_read,
            "prompts": table.n_groups,
            "completions": table.n_rows,
            "behaviours": len(np.unique(table.behaviour)),
            "group_sizes": {"min": int(sizes.min()), "median": float(np.median(sizes)), "max": int(sizes.max())},
            "single_completion_prompts": int((sizes == 1).sum()),
            "single_behaviour_prompts": int((main.scored.layout.n_behaviours == 1).sum()),
            "duplicate_rows": table.duplicate_rows,
            "unusable_scores": {
                column.name: {"missing": column.missing, "nan": column.nan, "infinite": column.infinite}
                for column in (*table.rewards, *([] if table.truth is None else [table.truth]))
            },
            "without_effective_reward": int((~main.reward.usable).sum()),
            "skipped": [{"reason": item.reason, "count": item.count, "unit": item.unit} for item in table.skipped],
        },
    }


_ORDER = (
    "schema_version", "settings", "counts", "verdict", "rewards", "pairs", "beta", "mixed_sources_share", "weights",
    "truth", "steps", "normalisation", "advice", "prompts_to_look_at",
)  # fmt: skip


def _ordered(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in _ORDER}


def _each(function: Callable[[Item], Result], items: Sequence[Item], done: Callable[[float], None]) -> list[Result]:
    """Apply a function to each item, two at a time (NumPy works outside the interpreter's lock), in order."""
    results = []
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        for position, result in enumerate(threads.map(function, items)):
            results.append(result)
            done((position + 1) / len(items))
    return results


def _stage(report: Progress, name: str, start: float, end: float, share: float) -> None:
    report(name, start + share * (end - start))


def _no_progress(_stage: str, _share: float) -> None:
    pass
