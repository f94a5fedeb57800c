"""Two rewards over the same rows: Model-1 against Model-2 of the paper's section 5.6, or two mixtures.

Only prompts with two completions that have both scores count. Every figure is over those.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.analyses.pairs import compare_pair, soft_shift
from policycliff.rollouts.intervals import mean_over, share, with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.compare import choices
from policycliff.rollouts.questions.compare.drivers import carried, choice_of, order_of, prompt_names
from policycliff.rollouts.questions.compare.margins import by_margin
from policycliff.rollouts.questions.compare.mixture import Mixture, written
from policycliff.rollouts.questions.compare.noise import Rescoring, noise_of, rescored
from policycliff.rollouts.questions.compare.permutation import holm, sign_flip_test
from policycliff.rollouts.questions.compare.reward_limits import reward_limits
from policycliff.rollouts.questions.compare.reward_tables import reward_tables
from policycliff.rollouts.questions.compare.reward_words import reward_findings
from policycliff.rollouts.questions.compare.sources import sources
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Reward, Scored, column_reward, effective_reward_of, scorer_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable


def compare_rewards(
    loaded: LoadedRollouts, first: Mixture, second: Mixture, *, permutations: int, progress: Progress
) -> Answer:
    """What changes when the second reward replaces the first on the rows of a table.

    Args:
        loaded: The table, with every column of both mixtures among its rewards.
        first: A: columns with their weights.
        second: B.
        permutations: Draws of the permutation tests.
        progress: Called as work goes on.

    Raises:
        TableError: No prompt has two completions with both scores.
    """
    table, settings = loaded.table, loaded.settings
    names = (written(first), written(second))
    if names[0] == names[1]:
        raise InvalidInputError(f"A and B are the same reward, {names[0]}. Give two.")
    a, b = (_reward(table, mixture, name, settings) for mixture, name in zip((first, second), names, strict=True))
    truth = None if table.truth is None else column_reward(f"truth {table.truth.name}", table.truth.scores)
    scorer = scorer_of(table)
    one, two = scorer(a, b), scorer(b, a)
    if one.layout.n_prompts == 0:
        raise TableError(f"no prompt has two completions with scores of both {names[0]} and {names[1]}.")
    progress("choices", 0.2)
    beta = settings.beta or _usual_spread(one)
    regrets = (choices.regret(one, two), choices.regret(two, one))
    changed = choices.disjoint(one, two)
    shift = soft_shift(one.layout, one.scores, two.scores, beta=beta)
    tree: dict[str, Any] = {
        "a": names[0],
        "b": names[1],
        "prompts": one.layout.n_prompts,
        "prompts_left_out": table.n_groups - one.layout.n_prompts,
        "completions": len(one.layout.rows),
        "moves": choices.moves(one, two),
        "top_pair": {"a": choices.top_pair(one, two), "b": choices.top_pair(two, one)},
        "regret": {
            "a": choices.regret_figures(regrets[0], one),
            "b": choices.regret_figures(regrets[1], two),
        },
        "pair": compare_pair(scorer, a, b, beta=beta),
        "beta": beta,
        "sampled_total_variation": mean_over(one.layout.prompts, shift.total_variation, lowest=0.0, highest=1.0),
    }
    progress("tests", 0.4)
    sides = (one, two) if truth is None else (scorer(a, b, truth), scorer(b, a, truth))
    tree["tests"] = _tests(one, two, sides, truth, permutations=permutations, seed=settings.seed)
    tree["sources"] = sources(table, one, two, changed, permutations=permutations, seed=settings.seed)
    progress("noise", 0.7)
    noises = {"a": noise_of(table, a, settings), "b": noise_of(table, b, settings)}
    again = {name: _rescored(scored, noises[name], changed, settings) for name, scored in (("a", one), ("b", two))}
    tree["noise"] = {
        name: noises[name].to_dict() | ({} if found is None else found.to_dict()) for name, found in again.items()
    }
    expected = None if again["a"] is None else again["a"].probability
    tree["by_margin"] = by_margin(choices.standardised_margin(one), one.is_unique, changed, expected)
    contribution = regrets[0].in_usual_ranges() + regrets[1].in_usual_ranges()
    figures = with_intervals(tree, n_prompts=table.n_groups, seed=settings.seed)
    figures["drivers"] = {
        "carry_half": carried(contribution, 0.5),
        "contributing": int((contribution > 0).sum()),
        "prompts": [
            _driver(table, one, two, regrets, prompt)
            for prompt in order_of(contribution, limit=settings.look_at, seed=settings.seed)
        ],
    }
    progress("done", 1.0)
    return answer(
        "compare",
        f"{names[1]} in place of {names[0]}, on {one.layout.n_prompts} prompts",
        tables=reward_tables(figures),
        findings=reward_findings(figures),
        figures=figures,
        settings={**settings_of(loaded), "beta": beta, "permutations": permutations},
        limits=reward_limits(figures),
    )


def _reward(table: RolloutTable, mixture: Mixture, name: str, settings: AuditSettings) -> Reward:
    weights = {column.name: dict(mixture).get(column.name, 0.0) for column in table.rewards}
    return replace(effective_reward_of(table, weights, settings), name=name)


def _usual_spread(scored: Scored) -> float:
    """Median within-prompt standard deviation, as in the audit."""
    spread = scored.spread[~scored.zero_spread]
    return float(np.median(spread)) if len(spread) else 1.0


def _tests(
    one: Scored, two: Scored, sides: tuple[Scored, Scored], truth: Reward | None, *, permutations: int, seed: int
) -> list[dict[str, Any]]:
    """Figures of both rewards with their paired difference and its test, Holm's correction over all of them."""
    pairs = {name: (one.layout.prompts, a, b) for name, (a, b) in choices.changes(one, two).items()}
    if truth is not None and sides[0].layout.n_prompts:
        of_rows = truth.scores[sides[0].layout.rows]
        a, b = (choices.truth_of_choice(side, of_rows) for side in sides)
        pairs["truth"] = (sides[0].layout.prompts, a, b)
    rows = []
    for name, (prompts, first, second) in pairs.items():
        known = np.isfinite(first) & np.isfinite(second)
        change = choices.known_difference(first, second)
        if name in choices.FLAGS:
            sides_of: dict[str, Any] = {"a": share(first > 0), "b": share(second > 0)}
        else:
            sides_of = {"a": mean_over(prompts[known], first[known]), "b": mean_over(prompts[known], second[known])}
        tested = sign_flip_test(change, permutations=permutations, seed=seed)
        rows.append(
            {"name": name, "prompts": int(known.sum()), **sides_of, "change": mean_over(prompts[known], change)}
            | tested.to_dict()
        )
    adjusted = holm([row["p"] for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _rescored(scored: Scored, noise: Noise, changed: np.ndarray, settings: AuditSettings) -> Rescoring | None:
    return rescored(scored, noise, observed=int(changed.sum()), seed=settings.seed)


def _driver(
    table: RolloutTable, one: Scored, two: Scored, regrets: tuple[choices.Regret, choices.Regret], prompt: int
) -> dict[str, Any]:
    """One prompt: what each reward chooses there, and what the choices give up."""
    a, text_a = choice_of(table, one, prompt)
    b, text_b = choice_of(table, two, prompt)
    return {
        **prompt_names(table, one, prompt),
        "choice_a": text_a,
        "choice_b": text_b,
        "a_of_a": float(one.values[a]),
        "a_of_b": float(one.values[b]),
        "b_of_a": float(two.values[a]),
        "b_of_b": float(two.values[b]),
        "regret_a_share": float(regrets[0].share("chosen")[prompt]),
        "regret_b_share": float(regrets[1].share("chosen")[prompt]),
    }
