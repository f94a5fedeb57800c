"""The audit in plain words: each finding with its figure, its severity and the statement behind it.

Severities: `critical` (training will pick, or has picked, something at random or wrong), `warning`, `note` (a fact, or
what the data cannot say) and `good`. Thresholds on shares are conventions, stated here once: above `GRAVE` a finding is
critical, above `NOTABLE` a warning.
"""

from collections.abc import Iterator
from typing import Any

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
    tied, consequential = main["tied_share"], main["consequential_with_spread_share"]
    if consequential is None:
        yield _finding(
            "Prop 2.10",
            _severity(tied["value"]),
            ("rewards.effective.tied_share", tied),
            f"In {_percent(tied)} of prompts several behaviours share the best reward. Name --truth, --behaviour or "
            "another reward to learn which of these ties matter.",
        )
        return
    if tied["count"] == 0:
        text = f"No prompt has two behaviours that share the best reward ({_percent(tied)})."
        yield _finding("Thm 2.7", "good", ("rewards.effective.tied_share", tied), text)
        return
    if main["consequential_share"]["count"] == 0:
        text = f"{_percent(tied)} of prompts are tied at the top, but the tied behaviours differ in no column named."
        yield _finding("Prop 2.10", "note", ("rewards.effective.consequential_share", consequential), text)
        return
    yield _finding(
        "Prop 2.9, Prop 2.10",
        _severity(main["consequential_share"]["value"]),
        ("rewards.effective.consequential_with_spread_share", consequential),
        f"In {_percent(consequential)} of prompts the best reward is shared by behaviours that differ"
        f"{_named_columns(main)}: training picks among them by chance.{_other_ties(main)}{_unknown_noise(result)}",
    )


def _named_columns(main: dict[str, Any]) -> str:
    """Columns in which tied behaviours differ, by share; those of groups without spread where there are no others."""
    key = "with_spread_share" if main["consequential_with_spread_share"]["count"] else "share"
    columns = [column for column in main["consequential_columns"] if column[key]["count"] > 0]
    columns.sort(key=lambda column: -column[key]["count"])
    return " in " + ", ".join(f"{column['column']} ({_percent(column[key], short=True)})" for column in columns[:3])


def _other_ties(main: dict[str, Any]) -> str:
    flat, harmless = main["consequential_zero_spread_share"], main["harmless_share"]
    text = ""
    if flat["count"]:
        text += (
            f" {_percent(flat, short=True)} more differ but are tied throughout, so that nothing is learned from them."
        )
    if harmless["count"]:
        text += (
            f" {_percent(harmless, short=True)} are tied between behaviours that differ in nothing that is measured."
        )
    return text


def _unknown_noise(result: dict[str, Any]) -> str:
    """Rewards that tell ties apart although nobody knows how much of their difference is noise."""
    named = {
        column["column"] for column in result["rewards"][EFFECTIVE]["consequential_columns"] if column["share"]["count"]
    }
    unknown = [
        name for name in result["rewards"] if name in named and result["rewards"][name]["noise"]["sigma"] is None
    ]
    return f" The noise of {', '.join(unknown)} is not known and counts as none." if unknown else ""


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
        _severity(spread["unfixable"]["value"] / span),
        ("truth.with_spread.unfixable", spread["unfixable"]),
        f"{_number(spread['unfixable'])} of {name} is out of reach of every tie-breaker: a better one was sampled, "
        "and the reward ranks it lower.",
    )


def _exposure(name: str, spread: dict[str, Any], span: float) -> Finding:
    exposure = spread["exposure"]
    low, high = spread["worst_truth"]["value"], spread["best_truth"]["value"]
    text = (
        f"Where the reward has spread, policies that are all optimal for it reach a {name} anywhere from {low:.3g} to "
        f"{high:.3g}: {_number(exposure)} is left to chance. The right tie-breaker gains "
        f"{_number(spread['tie_breaker_gain'])} over picking at random."
    )
    if exposure["value"] == 0.0:
        text = f"Where the reward has spread, its ties cost nothing in {name} ({_number(exposure)} left to chance)."
    return _finding("Prop 3.1", _severity(exposure["value"] / span), ("truth.with_spread.exposure", exposure), text)


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
        _severity(flat["value"]),
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
        _severity(phantom["value"]),
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
        "warning" if untied["value"] > NOTABLE else "good",
        key,
        f"A reward error of {error:.3g} (a tenth of the within-prompt scale, {main['scale']['value']:.3g}) flips the "
        f"best behaviour in {_percent(untied)} of prompts, besides those that are tied.",
    )


def _noise(result: dict[str, Any]) -> Iterator[Finding]:
    main = result["rewards"][EFFECTIVE]["noise"]
    if main["sigma"] is None and main["origin"] == "not estimable":
        text = (
            f"Scorer noise is not estimable: only {main['samples']} completions were scored more than once. Give "
            "--noise, or a second score with --rerun."
        )
        yield _finding("Sec 6.2", "note", ("rewards.effective.noise.sigma", None), text)
    known = {name: item for name, item in result["rewards"].items() if item["noise"]["sigma"] and "radius" in item}
    if _is_one_column(result):
        known.pop(EFFECTIVE, None)
    noiseless = [name for name, item in known.items() if item["noise"]["sigma"]["value"] == 0.0]
    if noiseless:
        repeats = min(known[name]["noise"]["samples"] for name in noiseless)
        text = f"No scorer noise was seen in {', '.join(noiseless)} (at least {repeats} repeated scores, all alike)."
        yield _finding("Sec 6.2", "good", (f"rewards.{noiseless[0]}.noise.sigma", None), text)
    for name, figures in known.items():
        if name not in noiseless:
            yield _noise_of_reward(name, figures)


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
    return _finding("Sec 6.2", _severity(flip["value"]), (f"rewards.{name}.flip_probability_mean", flip), text)


def _weights(result: dict[str, Any]) -> Iterator[Finding]:
    if len(result["weights"]) < 2:
        return
    worst = max(result["weights"], key=_moves)
    within, on_wall = worst["within"][2]["share"], worst["on_wall_share"]
    if within["count"] + on_wall["count"] == 0:
        text = (
            f"No weight decides: moving any one by 10 % changes the best behaviours of no prompt ({_percent(within)})."
        )
        yield _finding("Lemma 4.2, Prop 4.6", "good", ("weights", within), text)
        return
    yield _finding(
        "Lemma 4.2, Prop 4.6",
        _severity(_moves(worst)),
        ("weights", within),
        f"The weight that decides most is {worst['name']}: moving it by 10 % changes the best behaviours of "
        f"{_percent(within)} of prompts, and any move those of the {_percent(on_wall, short=True)} on its wall "
        f"already; {_percent(worst['never_crosses_share'], short=True)} never cross one.",
    )


def _moves(weight: dict[str, Any]) -> float:
    """Share of prompts that change when the weight moves by at most 10 %."""
    return float(weight["within"][2]["share"]["value"] + weight["on_wall_share"]["value"])


def _pairs(result: dict[str, Any]) -> Iterator[Finding]:
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    if not pairs:
        return
    worst = max(pairs, key=lambda pair: pair["best_disjoint_share"]["value"])
    disjoint = worst["best_disjoint_share"]
    rank = worst["rank_correlation"]["value"]
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


def _severity(value: float | None) -> str:
    if value is None:
        return "note"
    return "critical" if value > GRAVE else "warning" if value > NOTABLE else "good"


def _percent(share: dict[str, Any], *, short: bool = False) -> str:
    if share["value"] is None:
        return "an unknown share"
    value = f"{100 * share['value']:.3g} %"
    return value if short else f"{value} ({100 * share['low']:.3g} to {100 * share['high']:.3g})"


def _number(mean: dict[str, Any]) -> str:
    if mean["value"] is None:
        return "an unknown amount"
    return f"{mean['value']:.3g} ({mean['low']:.3g} to {mean['high']:.3g})"
