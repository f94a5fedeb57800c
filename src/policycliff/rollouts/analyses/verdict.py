"""The audit in plain words: each finding with its figure, its severity and the statement behind it.

Severities: `critical` (training will pick, or has picked, something at random or wrong), `warning`, `note` (a fact, or
what the data cannot say) and `good`. Thresholds on shares are conventions, stated here once: above `GRAVE` a finding is
critical, above `NOTABLE` a warning.
"""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.intervals import wilson
from policycliff.rollouts.settings import EFFECTIVE

GRAVE = 0.2
NOTABLE = 0.05
_RANK = {"critical": 0, "warning": 1, "note": 2, "good": 3}

Finding = dict[str, Any]


def verdict(result: dict[str, Any]) -> list[Finding]:
    """Findings, consequential ties first, then by severity."""
    first = list(_ties(result))
    rest = [
        finding
        for part in (
            _price,
            _over_optimisation,
            _no_signal,
            _phantom,
            _margins,
            _noise,
            _weights,
            _pairs,
            _beta,
            _limits,
        )
        for finding in part(result)
    ]
    return first + sorted(rest, key=lambda finding: _RANK[finding["severity"]])


def _ties(result: dict[str, Any]) -> Iterator[Finding]:
    main = result["rewards"][EFFECTIVE]
    tied, consequential = main["tied_share"], main["consequential_share"]
    if consequential is None:
        yield _finding(
            "Prop 2.10",
            _severity(tied),
            ("rewards.effective.tied_share", tied),
            f"In {_percent(tied)} of prompts several behaviours share the best reward. Name --truth, --behaviour or "
            "another reward to learn which of these ties matter.",
        )
        return
    if tied["count"] == 0:
        text = f"No prompt has two behaviours that share the best reward ({_percent(tied)})."
        yield _finding("Thm 2.7", "good", ("rewards.effective.tied_share", tied), text)
        return
    if consequential["count"] == 0:
        text = f"{_percent(tied)} of prompts are tied at the top, but the tied behaviours differ in no column named."
        yield _finding("Prop 2.10", "note", ("rewards.effective.consequential_share", consequential), text)
        return
    unknown = _unknown_noise(result)
    severity = _severity(consequential)
    if severity == "critical" and unknown and all(column["column"] in unknown for column in _differing(main)):
        severity = "warning"
    text = (
        f"In {_percent(consequential)} of prompts the best reward is shared by behaviours that differ in "
        f"{_named_columns(main)}{_what_becomes_of_them(main)}"
    )
    if unknown:
        text += f" The noise of {', '.join(unknown)} is not known and counts as none."
    yield _finding("Prop 2.9, Prop 2.10", severity, ("rewards.effective.consequential_share", consequential), text)


def _differing(main: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns in which tied behaviours differ, by share."""
    columns = [column for column in main["consequential_columns"] if column["share"]["count"] > 0]
    return sorted(columns, key=lambda column: -column["share"]["count"])


def _named_columns(main: dict[str, Any]) -> str:
    columns = _differing(main)[:3]
    return ", ".join(f"{column['column']} ({_percent(column['share'], short=True)})" for column in columns)


def _what_becomes_of_them(main: dict[str, Any]) -> str:
    chosen, flat = main["consequential_with_spread_share"], main["consequential_zero_spread_share"]
    harmless = main["harmless_share"]
    if flat["count"] == 0:
        text = ": training picks among them by chance."
    elif chosen["count"] == 0:
        text = ", but their whole group is tied: nothing is learned from them."
    else:
        text = (
            f". In {_percent(chosen, short=True)} training picks among them by chance; in {_percent(flat, short=True)} "
            "the whole group is tied and nothing is learned."
        )
    if harmless["count"]:
        text += f" {_percent(harmless, short=True)} more are tied between behaviours that measure alike, good or bad."
    return text


def _unknown_noise(result: dict[str, Any]) -> list[str]:
    """Rewards that tell ties apart although nobody knows how much of their difference is noise."""
    rewards = result["rewards"]
    named = {column["column"] for column in _differing(rewards[EFFECTIVE])}
    return [name for name in rewards if name in named and rewards[name]["noise"]["sigma"] is None]


def _price(result: dict[str, Any]) -> Iterator[Finding]:
    truth = result["truth"]
    if truth is None or not truth["prompts"]:
        return
    spread = truth["with_spread"]
    if spread["prompts"] == 0:
        return
    name = truth["column"]
    span = (truth["observed_range"][1] - truth["observed_range"][0]) or 1.0
    yield _exposure(name, spread, span)
    yield _finding(
        "Prop 3.1",
        _severity(_scaled(spread["unfixable"], span)),
        ("truth.with_spread.unfixable", spread["unfixable"]),
        f"No tie-breaker reaches another {_number(spread['unfixable'])} of {name}: a better completion was sampled, "
        "and the reward ranks it lower (or the truth is wrong: read the prompts listed).",
    )


def _exposure(name: str, spread: dict[str, Any], span: float) -> Finding:
    exposure = spread["exposure"]
    low, high = spread["worst_truth"]["value"], spread["best_truth"]["value"]
    text = (
        f"Where the reward has spread, policies that are all optimal for it have a mean {name} from {low:.3g} to "
        f"{high:.3g}: {_number(exposure)} is left to chance. The right tie-breaker gains "
        f"{_number(spread['tie_breaker_gain'])} over picking at random."
    )
    if exposure["value"] == 0.0:
        text = f"Where the reward has spread, its ties cost nothing in {name} ({_number(exposure)} left to chance)."
    severity = _severity(_scaled(exposure, span))
    return _finding("Prop 3.1", severity, ("truth.with_spread.exposure", exposure), text)


def _scaled(figure: dict[str, Any], span: float) -> dict[str, Any]:
    """A figure in units of the truth as a part of its observed range."""
    return {bound: None if figure[bound] is None else figure[bound] / span for bound in ("value", "low", "high")}


def _over_optimisation(result: dict[str, Any]) -> Iterator[Finding]:
    truth = result["truth"]
    if truth is None or not truth["prompts"] or len(truth["best_of_k"]["points"]) < 2:
        return
    points = truth["best_of_k"]["points"]
    peak = max(points, key=lambda point: point["truth"]["value"])
    first, last = points[0]["truth"], points[-1]["truth"]
    name, k = truth["column"], points[-1]["k"]
    if peak["truth"]["value"] - last["value"] > 0.1 * max(peak["truth"]["value"] - first["value"], 0.0) + 1e-12:
        yield _finding(
            "Sec 5.4",
            "warning",
            ("truth.best_of_k", last),
            f"More optimisation turns against the truth: the best of {peak['k']} by the reward has {name} "
            f"{peak['truth']['value']:.3g}, the best of {k} only {last['value']:.3g}.",
        )
        return
    yield _finding(
        "Sec 5.4",
        "good" if last["value"] > first["value"] else "warning",
        ("truth.best_of_k", last),
        f"Picking the best of {k} by the reward moves {name} from {first['value']:.3g} (a random completion) to "
        f"{_number(last)}; the best possible pick has {points[-1]['best_possible']['value']:.3g}.",
    )


def _no_signal(result: dict[str, Any]) -> Iterator[Finding]:
    main = result["rewards"][EFFECTIVE]
    flat = main["zero_spread_share"]
    if flat["count"] == 0:
        return
    solved = ""
    if _is_one_column(result) and "zero_spread_solved_share" in (only := _only_column(result)):
        solved = (
            f" ({_percent(only['zero_spread_solved_share'], short=True)} solved, "
            f"{_percent(only['zero_spread_unsolved_share'], short=True)} not)"
        )
    yield _finding(
        "Result 8",
        _severity(flat),
        ("rewards.effective.zero_spread_share", flat),
        f"{_percent(flat)} of prompts give every completion the same reward{solved}: no advantage, nothing learned.",
    )


def _phantom(result: dict[str, Any]) -> Iterator[Finding]:
    figures = result["normalisation"]
    phantom = figures["phantom_share"]
    if phantom is None or phantom["count"] == 0:
        return
    yield _finding(
        "Result 8",
        _severity(phantom),
        ("normalisation.phantom_share", phantom),
        f"Phantom advantages in {_percent(phantom)} of prompts: every completion fails {figures['main_reward']} alike, "
        "and group normalisation blows the other terms up to full size.",
    )


def _margins(result: dict[str, Any]) -> Iterator[Finding]:
    """How near the untied prompts are; where the noise is known, `_noise` says it in its units."""
    main = result["rewards"][EFFECTIVE]
    if main["scale"]["origin"] == "constant" or (main["noise"]["sigma"] or {}).get("value"):
        return
    widest = main["flip_shares"][-1]
    untied, error = widest["untied_share"], widest["reward_error"]
    key = ("rewards.effective.flip_shares", untied)
    if untied["count"] == 0 and main["winning_margin_min"] is not None:
        text = (
            f"No untied prompt flips under a reward error of {error:.3g} (a tenth of the within-prompt scale): the "
            f"smallest winning margin is {main['winning_margin_min']:.3g}, and half of it is the distance to the cliff."
        )
        yield _finding("Result 1", "good", key, text)
        return
    yield _finding(
        "Result 1",
        "warning" if untied["value"] > NOTABLE else _severity(untied),
        key,
        f"A reward error of {error:.3g} (a tenth of the within-prompt scale, {main['scale']['value']:.3g}) flips the "
        f"best behaviour in {_percent(untied)} of prompts, besides those that are tied.",
    )


def _noise(result: dict[str, Any]) -> Iterator[Finding]:
    """One line for the effective reward, one for the noisiest column, one for the columns without noise."""
    main = result["rewards"][EFFECTIVE]["noise"]
    if main["sigma"] is None and main["origin"] == "not estimable":
        scored = f"only {main['samples']} completions were" if main["samples"] else "no completion was"
        text = (
            f"Scorer noise is not estimable: {scored} scored more than once. Give --noise or a second score (--rerun)."
        )
        yield _finding("Sec 6.2", "note", ("rewards.effective.noise.sigma", None), text)
    known = {name: item for name, item in result["rewards"].items() if item["noise"]["sigma"] and "radius" in item}
    if _is_one_column(result):
        known.pop(EFFECTIVE, None)
    noiseless = [name for name, item in known.items() if item["noise"]["sigma"]["value"] == 0.0]
    noisy = {name: item for name, item in known.items() if name not in noiseless}
    columns = [name for name in noisy if name != EFFECTIVE]
    if EFFECTIVE in noisy:
        yield _noise_of_reward(EFFECTIVE, noisy[EFFECTIVE])
    if columns:
        worst = max(columns, key=lambda name: noisy[name]["flip_probability_mean"]["value"])
        yield _noise_of_reward(worst, noisy[worst])
    if noiseless:
        repeats = min(known[name]["noise"]["samples"] for name in noiseless)
        text = f"No scorer noise was seen in {', '.join(noiseless)} (at least {repeats} repeated scores, all alike)."
        yield _finding("Sec 6.2", "good", (f"rewards.{noiseless[0]}.noise.sigma", None), text)


def _noise_of_reward(name: str, figures: dict[str, Any]) -> Finding:
    noise, flip, margin = figures["noise"], figures["flip_probability_mean"], figures["winning_margin_median"]
    sigma = noise["sigma"]["value"]
    basis = f"{noise['origin']}, {noise['samples']} samples" if noise["samples"] else noise["origin"]
    beside = "no prompt has a unique best" if margin is None else f"the median winning margin is {margin:.3g}"
    text = (
        f"{name}: one score has noise {sigma:.3g} ({basis}); {beside}. Within that noise "
        f"{_percent(figures['tied_within_noise_share'], short=True)} of prompts are tied at the top "
        f"({_percent(figures['tied_share'], short=True)} exactly). Scored again, {_percent(flip)} would lose their "
        "best set."
    )
    if noise["left_out"]:
        text += f" The noise of {', '.join(noise['left_out'])} is not known and not counted."
    check = figures.get("rerun")
    if check is not None:
        text += (
            f" Among {check['prompts']} prompts with second scores {_percent(check['observed_flip_share'])} did "
            f"(predicted {_percent(check['predicted_flip_probability_mean'], short=True)})."
        )
    return _finding("Sec 6.2", _severity(flip), (f"rewards.{name}.flip_probability_mean", flip), text)


def _weights(result: dict[str, Any]) -> Iterator[Finding]:
    if len(result["weights"]) < 2:
        return
    figures = {weight["name"]: (_moved(weight), weight) for weight in result["weights"]}
    name, (moved, worst) = max(figures.items(), key=lambda item: item[1][0]["value"])
    key = ("weights", moved)
    if moved["count"] == 0:
        text = f"No weight decides: moving one by 10 % changes the best behaviour of no prompt ({_percent(moved)})."
        yield _finding("Lemma 4.2, Prop 4.6", _severity(moved), key, text)
        return
    text = (
        f"The weight that decides most is {name}: moving it by 10 % changes the best behaviours of {_percent(moved)} "
        f"of prompts ({_percent(worst['on_wall_share'], short=True)} stand on its wall, where any move does); "
        f"{_percent(worst['never_crosses_share'], short=True)} never cross one."
    )
    yield _finding("Lemma 4.2, Prop 4.6", _severity(moved), key, text)


def _moved(weight: dict[str, Any]) -> dict[str, Any]:
    """Prompts that change when the weight moves by at most 10 %: those on its wall and those that cross one."""
    within, on_wall = weight["within"][2]["share"], weight["on_wall_share"]
    count, total = within["count"] + on_wall["count"], within["total"]
    low, high = wilson(count, total)
    return {"value": count / total, "low": low, "high": high, "count": count, "total": total}


def _pairs(result: dict[str, Any]) -> Iterator[Finding]:
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    if not pairs:
        return
    worst = max(pairs, key=lambda pair: pair["best_disjoint_share"]["value"])
    disjoint, rank = worst["best_disjoint_share"], worst["rank_correlation"]["value"]
    if disjoint["value"] <= NOTABLE:
        text = (
            f"No two rewards (or reward and truth) have disjoint winners in more than {_percent(disjoint)} of "
            "prompts: where their best sets differ, they mostly still share a behaviour."
        )
        yield _finding("Prop 4.3", "note", ("pairs", disjoint), text)
        return
    agreement = "" if rank is None else f" (rank correlation within prompts {rank:.2f})"
    yield _finding(
        "Prop 4.3",
        "warning" if disjoint["value"] > GRAVE else "note",
        ("pairs", disjoint),
        f"{worst['first']} and {worst['second']} disagree most: in {_percent(disjoint)} of prompts they have no best "
        f"behaviour in common{agreement}.",
    )


def _beta(result: dict[str, Any]) -> Iterator[Finding]:
    advice = result["advice"]
    if not advice["beta"]:
        return
    cost = advice["kl_reward_cost"]
    yield _finding(
        "Prop 4.7, Result 5",
        "note",
        ("advice.beta", None),
        f"A KL coefficient (or entropy temperature) of {advice['beta']:.3g} keeps the policy within total variation "
        f"{advice['max_shift']:.3g} under any reward error of {advice['reward_error']:.3g} "
        f"({advice['reward_error_origin']}); it gives up {_number(cost)} of expected reward against the best sample.",
    )


def _limits(result: dict[str, Any]) -> Iterator[Finding]:
    mixed = result["mixed_sources_share"]
    if mixed is not None and mixed["count"]:
        yield _finding(
            "Sec 3.4",
            "note",
            ("mixed_sources_share", mixed),
            f"{_percent(mixed)} of groups mix several source models: reweighting such a sample is no policy's optimum, "
            "so read total variations there as distances between rewards, not between policies.",
        )
    sizes = result["counts"]["group_sizes"]
    size = str(sizes["min"]) if sizes["min"] == sizes["max"] else f"{sizes['min']} to {sizes['max']}"
    yield _finding(
        "Assumption: samples",
        "note",
        ("counts.group_sizes", None),
        f"All figures are for {size} sampled completions a prompt. The best of a sample is not the best of all "
        "completions, and more samples make more ties: compare tables at a common group size only.",
    )


def _is_one_column(result: dict[str, Any]) -> bool:
    """Whether the effective reward is a single column, so that its figures are that column's."""
    return len(result["weights"]) == 1


def _only_column(result: dict[str, Any]) -> dict[str, Any]:
    return result["rewards"][result["weights"][0]["name"]]


def _finding(statement: str, severity: str, figure: tuple[str, dict[str, Any] | None], text: str) -> Finding:
    key, value = figure
    shown = {"key": key}
    if value is not None:
        shown |= {bound: value[bound] for bound in ("value", "low", "high")}
    return {"statement": statement, "severity": severity, "figure": shown, "text": text}


def _severity(figure: dict[str, Any]) -> str:
    """By the value; a small value whose interval reaches a notable one is a note, not a good sign."""
    value, high = figure["value"], figure["high"]
    if value is None:
        return "note"
    if value > GRAVE:
        return "critical"
    if value > NOTABLE:
        return "warning"
    return "note" if high is not None and high > NOTABLE else "good"


def _percent(share: dict[str, Any], *, short: bool = False) -> str:
    if share["value"] is None:
        return "an unknown share"
    value = f"{100 * share['value']:.3g} %"
    return value if short else f"{value} ({100 * share['low']:.3g} to {100 * share['high']:.3g})"


def _number(mean: dict[str, Any]) -> str:
    if mean["value"] is None:
        return "an unknown amount"
    return f"{mean['value']:.3g} ({mean['low']:.3g} to {mean['high']:.3g})"
