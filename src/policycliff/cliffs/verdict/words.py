"""The verdict and the advice in plain words: pure functions of an analysis."""

from collections.abc import Iterator

import numpy as np

from policycliff.actions.kernels import TIED, UNRESOLVED
from policycliff.cliffs.phases.nearest import TIED as TIED_WEIGHTS
from policycliff.cliffs.radius.result import StabilityRadius
from policycliff.cliffs.verdict.result import LEVELS, Finding, MDPAnalysis, short_action

_NEAREST = 3
# Weights nearer than this to a change are worth a warning.
NEAR = 0.05


def findings_of(analysis: MDPAnalysis) -> tuple[Finding, ...]:
    """The verdict, most serious first; within a level in the order of the questions."""
    found = [*_ties(analysis), *_distance(analysis), *_weights(analysis), *_phases(analysis), *_prices(analysis)]
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def advice_of(analysis: MDPAnalysis) -> tuple[str, ...]:
    """What to do about it."""
    return (*_about_ties(analysis), *_about_data(analysis), *_about_temperature(analysis))


def state_called(analysis: MDPAnalysis, state: int) -> str:
    """A state's name in quotes, or its number."""
    names = analysis.source.mdp.state_names
    return f"state {state}" if names is None else f"state {names[state]!r}"


def small_number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


def counted(number: int, noun: str) -> str:
    """A count with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _tied_states(analysis: MDPAnalysis) -> tuple[np.ndarray, np.ndarray]:
    """Tied states, and those of them that some optimal policy reaches (all, without a start)."""
    tied = (analysis.actions.codes == TIED) & ~analysis.source.mdp.terminal
    return tied, tied if analysis.reached is None else tied & analysis.reached


def _ties(analysis: MDPAnalysis) -> Iterator[Finding]:
    tied, met = _tied_states(analysis)
    open_states = int((analysis.actions.codes == UNRESOLVED).sum())
    if met.any():
        first = int(np.argmax(met))
        names = " and ".join(short_action(analysis.source, pair) for pair in analysis.pairs(first)[:_NEAREST])
        where = "" if analysis.reached is None else " on the way of an optimal policy"
        yield Finding(
            "critical",
            f"Tied states{where}",
            counted(int(met.sum()), "state"),
            f"Several actions are equally good there, for example {names} in {state_called(analysis, first)}. The "
            f"reward "
            "does not say which is taken: the algorithm, the seed or the smallest error of the reward does.",
            "Prop 2.9, Prop 2.10",
        )
    if (tied & ~met).any():
        yield Finding(
            "note",
            "Tied states that are never reached",
            counted(int((tied & ~met).sum()), "state"),
            "They change nothing from the start, but they do for other starts, and where exploration or noise "
            "leads there.",
            "Lemma 2.5",
        )
    if open_states:
        yield Finding(
            "warning",
            "Undecided states",
            counted(open_states, "state"),
            "Two actions there are closer than the solver's error: exact arithmetic (--exact, up to 200 states) "
            "decides.",
            "Lemma 2.5",
        )
    if not tied.any() and not open_states:
        yield Finding(
            "good",
            "Tied states",
            "none",
            "Every state has exactly one optimal action: for small changes of the reward the policy stays as it is.",
            "Thm 2.7",
        )


def _distance(analysis: MDPAnalysis) -> Iterator[Finding]:
    radius = analysis.radius
    largest = float(np.abs(analysis.source.mdp.rewards).max(initial=0.0))
    if radius.status == "tied":
        if analysis.reached_radius is not None and analysis.reached_radius.status != "tied":
            yield _reached(analysis.reached_radius, largest)
        yield Finding(
            "critical" if analysis.reached_radius is None or analysis.reached_radius.status == "tied" else "note",
            "Stability radius over all states",
            "0",
            f"However small, some change of the reward changes the policy: in {state_called(analysis, radius.state)} "
            f"{overtaking(analysis, radius)}.",
            "Prop 2.9, Result 1",
        )
        return
    if not np.isfinite(radius.radius):
        text = "No change of the rewards changes the policy: nowhere is there a choice that matters."
        yield Finding("good", "Stability radius", "infinite", text, "Result 1")
        return
    share = radius.radius / largest if largest > 0.0 else 1.0
    level = "unresolved" if radius.status == "unresolved" else ""
    yield Finding(
        "warning" if level or share < 0.01 else "good",
        "Stability radius" + (f" ({level})" if level else ""),
        small_number(radius.radius),
        f"Reward errors below {small_number(radius.radius)} ({100 * share:.2g} % of the largest reward) leave "
        f"the optimal "
        f"policy as it is. The nearest change: in {state_called(analysis, radius.state)} "
        f"{overtaking(analysis, radius)}.",
        "Result 1",
    )
    near = analysis.reached_radius
    if near is not None and near.bracket[0] > radius.bracket[1]:
        yield _reached(near, largest)


def _reached(radius: StabilityRadius, largest: float) -> Finding:
    """The radius that counts behaviour from the start only."""
    low, high = radius.bracket
    share = low / largest if largest > 0.0 else 1.0
    sure = (
        f"Reward errors below {small_number(low)} ({100 * share:.2g} % of the largest reward) change nothing "
        f"of what an "
        "optimal policy does from the start."
        if low > 0.0
        else "The bracket begins at 0 because a tie that only other policies reach may count; it is not known to."
    )
    return Finding(
        "warning" if share < 0.01 else "good",
        "Stability radius of what happens from the start",
        in_bracket(low, high),
        sure if high <= low * 1.001 else f"{sure} Some error just above {small_number(high)} does change it.",
        "Result 1",
    )


def in_bracket(low: float, high: float) -> str:
    """One number where both ends agree, else both."""
    if high <= low * 1.001:
        return small_number(low)
    return f"{small_number(low)} to {small_number(high)}" if np.isfinite(high) else f"at least {small_number(low)}"


def overtaking(analysis: MDPAnalysis, radius: StabilityRadius) -> str:
    """Which action overtakes which, in words."""
    mdp = analysis.source.mdp
    if radius.state < 0:
        return "no action overtakes"
    rival = mdp.pair(radius.state, radius.action)
    best = [pair for pair in analysis.pairs(radius.state) if pair != rival]
    now = short_action(analysis.source, best[0]) if best else "the optimal action"
    return f"{short_action(analysis.source, rival)} overtakes {now}"


def _weights(analysis: MDPAnalysis) -> Iterator[Finding]:
    found, source = analysis.weight_radius, analysis.source
    if found is None:
        return
    now = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(source.reward_names, source.weights, strict=True))
    if not np.isfinite(found.radius):
        text = f"At the weights {now} no other weights change the optimal policy."
        yield Finding("good", "Distance of the weights", "infinite", text, "Result 1")
        return
    if found.status == "tied":
        text = f"At the weights {now} the optimum is tied, and the slightest change of the weights breaks the tie."
        yield Finding("critical", "Distance of the weights", "0", text, "Result 1, Prop 4.6")
        return
    low, high = found.bracket
    there = source.weights + found.witness
    then = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(source.reward_names, there, strict=True))
    if found.status == "unresolved":
        sure = "It is not decided whether some nearer tie counts (exact arithmetic decides). "
    else:
        sure = f"From {now}, no weights that all move by less than {small_number(low)} change the policy. "
    yield Finding(
        "warning" if low < NEAR else "good",
        "Distance of the weights",
        in_bracket(low, high),
        sure + (f"At {then} another action draws level." if np.any(found.witness) else ""),
        "Result 1",
    )


def _phases(analysis: MDPAnalysis) -> Iterator[Finding]:
    """Which other policy is near, as far as the return from the start can tell."""
    found = analysis.phases
    if found is None or found.nearest is None:
        return
    nearest, cells = found.nearest, counted(len(found.cells), "cell")
    title, names = "Cells of the weights, from the start", analysis.source.reward_names
    if nearest.neighbour < 0:
        text = "One policy is best from the start for all weights."
        yield Finding("good", title, cells, text, "Result 3")
        return
    there = ", ".join(f"{name} {share:.3g}" for name, share in zip(names, nearest.arrival, strict=True))
    gained = found.cells[nearest.neighbour].values - found.cells[nearest.cell].values
    changes = ", ".join(f"{name} {change:+.3g}" for name, change in zip(names, gained, strict=True))
    near = f"{small_number(100.0 * found.cells[nearest.cell].share)} % of all weights have the same best policy. "
    if nearest.status == TIED_WEIGHTS:
        near = "The weights in use are on a wall. "
    yield Finding(
        "critical" if nearest.status == TIED_WEIGHTS else "warning" if nearest.bracket[0] < NEAR else "note",
        title,
        cells,
        f"{near}The nearest wall, {small_number(nearest.distance)} away in the {nearest.norm}-norm, is at {there}; "
        f"behind it the returns change by {changes}.",
        "Result 3",
    )


def _prices(analysis: MDPAnalysis) -> Iterator[Finding]:
    """Which component the ties decide."""
    decided = [price for price in analysis.tie_prices if price.best - price.worst > 1e-9 * max(1.0, abs(price.best))]
    if not decided:
        return
    worst = max(decided, key=lambda price: price.best - price.worst)
    yield Finding(
        "warning",
        "What ties decide",
        f"{small_number(worst.best - worst.worst)} of {worst.name}",
        f"Policies that are optimal for the mixture earn from {small_number(worst.worst)} to "
        f"{small_number(worst.best)} of "
        f"{worst.name}: chance decides, for the mixture pays them alike.",
        "Result 6",
    )


def _about_ties(analysis: MDPAnalysis) -> Iterator[str]:
    _, met = _tied_states(analysis)
    if not met.any():
        return
    first = int(np.argmax(met))
    yield (
        f"Break the ties on purpose. In {state_called(analysis, first)}, for example, any bonus above 0 on one of "
        f"{', '.join(short_action(analysis.source, pair) for pair in analysis.pairs(first)[:_NEAREST])} decides "
        "(cliff_perturbation shows it). If the tied ways are truly alike, leave it, and compare returns, not actions."
    )
    if any(price.best - price.worst > 1e-9 * max(1.0, abs(price.best)) for price in analysis.tie_prices):
        yield "Weights on the edge tie: move them off it, and let the component that you care about most decide."


def _about_data(analysis: MDPAnalysis) -> Iterator[str]:
    nearest = nearest_states(analysis)
    if not nearest:
        return
    shown = "; ".join(
        f"{state_called(analysis, state)} (gap {small_number(float(analysis.actions.gaps[state]))})"
        for state in nearest[:_NEAREST]
    )
    yield (
        f"Measure rewards best where the gap is small and positive: {shown}. An error as large as the gap, on that one "
        "action alone, is enough to flip it."
    )


def nearest_states(analysis: MDPAnalysis) -> list[int]:
    """Visited states (all, without a start) by ascending positive gap."""
    gaps = analysis.actions.gaps
    mask = (gaps > 0.0) & np.isfinite(gaps) & ~analysis.source.mdp.terminal
    if analysis.reached is not None and (mask & analysis.reached).any():
        mask &= analysis.reached
    chosen = np.flatnonzero(mask)
    return [int(state) for state in chosen[np.argsort(gaps[chosen], kind="stable")]]


def _price(analysis: MDPAnalysis) -> str:
    """What the coefficient costs, in words."""
    mdp, lost = analysis.source.mdp, analysis.steadiness.regret_bound
    if not analysis.steadiness.is_calibrated or mdp.initial is None:
        return f"lower by at most {small_number(lost)}"
    best = float(analysis.values @ mdp.initial)
    return f"of {small_number(best - lost)} from the start in place of {small_number(best)}"


def _about_temperature(analysis: MDPAnalysis) -> Iterator[str]:
    steady = analysis.steadiness
    if not 0.0 < steady.temperature < np.inf:
        return
    spread = float(np.ptp(analysis.values))
    dear = steady.regret_bound > (0.5 if steady.is_calibrated else 1.0) * spread
    yield (
        f"Or train with entropy: at a coefficient of {small_number(steady.temperature)}"
        f"{'' if steady.is_calibrated else ' or more'}, reward errors up to {small_number(steady.reward_error)} are "
        f"proven to move the policy by at most {steady.total_variation:g} in any state, for a return "
        f"{_price(analysis)}."
        f"{' That is more than it is worth here: prefer a tie-breaker.' if dear else ''}"
        f"{'' if steady.is_calibrated else ' calibrate_temperature gives the smaller figure for this very reward.'}"
    )
