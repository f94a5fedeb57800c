"""`theorems`: run statements on instances, count the verdicts, keep what failed.

Without an MDP the built-in instances are used, and random ones as asked; with one, it stands in their place. Every
random choice depends on the seed, the instance and the statement alone: any subset gives the same figures as the whole.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from policycliff.errors import PolicyCliffError
from policycliff.mdp.messages import as_float_vector, check_finite, check_shape, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.statements.figures import figures
from policycliff.statements.instances import Instance, built_in_instances, random_instance, started, with_tuple
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.report import Example, StatementRow, TheoremReport
from policycliff.statements.statement import FAILS, NOT_MET, VERDICTS, Outcome, Statement

MOST_KEPT = 20
MOST_POINTS = 400
OWN = "your MDP"
Progress = Callable[[str, float], None]


def theorems(
    mdp: MDP | None = None,
    *,
    rewards: Any = None,
    weights: Any = None,
    instances: int = 0,
    seed: int = 0,
    only: Sequence[str] | None = None,
    with_figures: bool = False,
    progress: Progress | None = None,
) -> TheoremReport:
    """Run every statement of the paper, and the results beyond it, claimed beside measured.

    Args:
        mdp: the user's own MDP, in place of the built-in instances; where it has no initial distribution, the uniform
            one over states that are not terminal is taken.
        rewards: (K, pairs) reward components for the statements on tuples, in place of made-up ones; `mdp.rewards` is
            then replaced by their effective reward.
        weights: (K,) or (K, S) their weights.
        instances: number of random instances, of eight kinds in turn.
        seed: of every random choice; the random instances are those of the seeds seed, seed + 1, ...
        only: numbers of the statements to run ("Prop 2.4", "Result 1"), by default all.
        with_figures: also compute what the page draws (`report.figures`).
        progress: called with what runs and the share of the work that is done.

    Returns:
        A `TheoremReport` with a row for each statement.

    Raises:
        InvalidInputError: an unknown statement, a negative number of instances, components without weights.

    Example:
        >>> report = theorems(only=["Prop 2.4"])
        >>> report.rows[0].counts["holds"], report.rows[0].counts["fails"]
        (7, 0)
    """
    if mdp is not None:
        check_mdp(mdp)
    if instances < 0 or seed < 0:
        raise fail(got=f"instances = {instances}, seed = {seed}", expected="at least 0", remedy="Check the numbers.")
    chosen = select(only)
    own = _own_instance(mdp, rewards, weights, seed)
    first = built_in_instances(seed) if own is None else (own,)
    everything = [*first, *(random_instance(number) for number in range(seed, seed + instances))]
    rows = []
    for position, statement in enumerate(chosen):
        rows.append(_row(statement, everything, own=own, report=_share(progress, statement, position, len(chosen))))
    return TheoremReport(
        rows=tuple(rows),
        seed=seed,
        instances=instances,
        own=None if own is None else own.mdp,
        figures=figures(first) if with_figures else {},
    )


def select(only: Sequence[str] | None) -> tuple[Statement, ...]:
    """The statements with these numbers, in the paper's order; all for None.

    Raises:
        InvalidInputError: a number that no statement has.
    """
    known = {_plain(statement.number): statement for statement in STATEMENTS}
    wanted = {_plain(name): name for name in only or known}
    unknown = [given for name, given in wanted.items() if name not in known]
    if unknown:
        raise fail(
            got=f"the statement {unknown[0]!r}",
            expected=f"one of {', '.join(statement.number for statement in STATEMENTS)}",
            remedy="Name it as the paper does.",
        )
    return tuple(statement for name, statement in known.items() if name in wanted)


def _plain(name: str) -> str:
    """What tells a statement from the others, however the paper's kinds are spelled: "2.4", "c.1", "result 8".

    >>> _plain("Prop 2.4"), _plain("proposition2.4"), _plain("Lemma C1"), _plain("Result 8"), _plain("figure")
    ('2.4', '2.4', 'c.1', 'result 8', 'fig')
    """
    text = name.lower()
    found = re.search(r"((?<![a-z])[a-z])?\.?(\d+(?:\.\d+)?)", text)
    if found is None:
        return "fig" if text.lstrip().startswith("fig") else re.sub(r"[^a-z]", "", text)
    letter, number = found.groups()
    own = next((kind for kind in ("result", "erratum") if kind in text), "")
    return f"{own} {letter + '.' if letter else ''}{number}".strip()


def _own_instance(mdp: MDP | None, rewards: Any, weights: Any, seed: int) -> Instance | None:
    if (rewards is None) != (weights is None) or (mdp is None and rewards is not None):
        raise fail(
            got="only some of `mdp`, `rewards` and `weights`",
            expected="an MDP, or an MDP with both components and weights",
            remedy="Leave out the components to have some made up.",
        )
    if mdp is None:
        return None
    if rewards is None:
        return Instance(name=OWN, mdp=started(mdp), seed=seed)
    components = as_float_vector("rewards", rewards)
    check_shape("rewards", components, (len(components), mdp.n_pairs), meaning="K components over pairs")
    check_finite("rewards", components)
    mixture = as_float_vector("weights", weights)
    spread = np.repeat(mixture[:, None], mdp.n_states, axis=1) if mixture.ndim == 1 else mixture
    check_shape("weights", spread, (len(components), mdp.n_states), meaning="(K,) or (K, S)")
    return with_tuple(OWN, mdp, seed=seed, rewards=components, weights=spread)


def _share(progress: Progress | None, statement: Statement, position: int, count: int) -> Callable[[float], None]:
    def show(done: float) -> None:
        if progress is not None:
            progress(statement.number, (position + done) / count)

    return show


def _row(
    statement: Statement, instances: Sequence[Instance], *, own: Instance | None, report: Callable[[float], None]
) -> StatementRow:
    """One statement on all instances."""
    counts, reasons = Counter(dict.fromkeys(VERDICTS, 0)), Counter[str]()
    kept: list[Example] = []
    points: list[tuple[float, float]] = []
    example, wanted = None, OWN if own is not None else statement.example
    for done, instance in enumerate(instances):
        report(done / len(instances))
        outcome = run_check(statement, instance)
        counts[outcome.verdict] += 1
        if outcome.verdict == NOT_MET and outcome.why:
            reasons[outcome.why] += 1
        if outcome.verdict == FAILS and len(kept) < MOST_KEPT:
            kept.append(Example(instance.name, outcome))
        if instance.name == wanted:
            example = Example(instance.name, outcome)
        points.extend(_points(outcome) if len(points) < MOST_POINTS else [])
    return StatementRow(
        statement=statement,
        example=example,
        counts=dict(counts),
        reasons=dict(reasons.most_common()),
        failures=tuple(kept),
        points=tuple(points),
    )


def run_check(statement: Statement, instance: Instance) -> Outcome:
    """The outcome on one instance; one that is too large, for the check or for an analysis in it, is not measured."""
    most = statement.most_states
    if most is not None and instance.mdp.n_states > most:
        return Outcome(too_large=f"more than {most:,} states would take minutes")
    try:
        return statement.check(instance)
    except PolicyCliffError as error:
        return Outcome(too_large=str(error))


def _points(outcome: Outcome) -> list[tuple[float, float]]:
    """Claimed and measured of the main claim, where it is a bound."""
    main = next(iter(outcome.claims), None)
    if main is None or main.relation == "=" or outcome.verdict == NOT_MET:
        return []
    return [(float(main.claimed), float(main.measured))] if np.isfinite([main.claimed, main.measured]).all() else []
