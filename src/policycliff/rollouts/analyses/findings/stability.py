"""Findings on what would push the policy over the cliff: margins, noise, weights, other rewards; and what holds it."""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.analyses.findings.words import (
    GRAVE,
    NOTABLE,
    Finding,
    finding,
    is_one_column,
    number,
    percent,
    severity_of,
)
from policycliff.rollouts.intervals import wilson
from policycliff.rollouts.settings import EFFECTIVE


def margins(result: dict[str, Any]) -> Iterator[Finding]:
    """How near the untied prompts are; where the noise is known, `noise` says it in its units."""
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
        yield finding("Result 1", "good", key, text)
        return
    yield finding(
        "Result 1",
        "warning" if untied["value"] > NOTABLE else severity_of(untied),
        key,
        f"A reward error of {error:.3g} (a tenth of the within-prompt scale, {main['scale']['value']:.3g}) flips the "
        f"best behaviour in {percent(untied)} of prompts, besides those that are tied.",
    )


def noise(result: dict[str, Any]) -> Iterator[Finding]:
    """One line for the effective reward, one for the noisiest column, one for the columns without noise."""
    main = result["rewards"][EFFECTIVE]["noise"]
    if main["sigma"] is None and main["origin"] == "not estimable":
        scored = f"only {main['samples']} completions were" if main["samples"] else "no completion was"
        text = (
            f"Scorer noise is not estimable: {scored} scored more than once. Give --noise or a second score (--rerun)."
        )
        yield finding("Sec 6.2", "note", ("rewards.effective.noise.sigma", None), text)
    known = {name: item for name, item in result["rewards"].items() if item["noise"]["sigma"] and "radius" in item}
    if is_one_column(result):
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
        yield finding("Sec 6.2", "good", (f"rewards.{noiseless[0]}.noise.sigma", None), text)


def _noise_of_reward(name: str, figures: dict[str, Any]) -> Finding:
    noise, flip, margin = figures["noise"], figures["flip_probability_mean"], figures["winning_margin_median"]
    sigma = noise["sigma"]["value"]
    basis = f"{noise['origin']}, {noise['samples']} samples" if noise["samples"] else noise["origin"]
    beside = "no prompt has a unique best" if margin is None else f"the median winning margin is {margin:.3g}"
    text = (
        f"{name}: one score has noise {sigma:.3g} ({basis}); {beside}. Within that noise "
        f"{percent(figures['tied_within_noise_share'], short=True)} of prompts are tied at the top "
        f"({percent(figures['tied_share'], short=True)} exactly). Scored again, {percent(flip)} would lose their "
        "best set."
    )
    if noise["left_out"]:
        text += f" The noise of {', '.join(noise['left_out'])} is not known and not counted."
    check = figures.get("rerun")
    if check is not None:
        text += (
            f" Among {check['prompts']} prompts with second scores {percent(check['observed_flip_share'])} did "
            f"(predicted {percent(check['predicted_flip_probability_mean'], short=True)})."
        )
    return finding("Sec 6.2", severity_of(flip), (f"rewards.{name}.flip_probability_mean", flip), text)


def weights(result: dict[str, Any]) -> Iterator[Finding]:
    """The weight that decides most."""
    if len(result["weights"]) < 2:
        return
    figures = {weight["name"]: (_moved(weight), weight) for weight in result["weights"]}
    name, (moved, worst) = max(figures.items(), key=lambda item: item[1][0]["value"])
    key = ("weights", moved)
    if moved["count"] == 0:
        text = f"No weight decides: moving one by 10 % changes the best behaviour of no prompt ({percent(moved)})."
        yield finding("Lemma 4.2, Prop 4.6", severity_of(moved), key, text)
        return
    text = (
        f"The weight that decides most is {name}: moving it by 10 % changes the best behaviours of {percent(moved)} "
        f"of prompts ({percent(worst['on_wall_share'], short=True)} stand on its wall, where any move does); "
        f"{percent(worst['never_crosses_share'], short=True)} never cross one."
    )
    yield finding("Lemma 4.2, Prop 4.6", severity_of(moved), key, text)


def _moved(weight: dict[str, Any]) -> dict[str, Any]:
    """Prompts that change when the weight moves by at most 10 %: those on its wall and those that cross one."""
    within, on_wall = weight["within"][2]["share"], weight["on_wall_share"]
    count, total = within["count"] + on_wall["count"], within["total"]
    low, high = wilson(count, total)
    return {"value": count / total, "low": low, "high": high, "count": count, "total": total}


def pairs(result: dict[str, Any]) -> Iterator[Finding]:
    """The two rewards that disagree most."""
    pairs = [pair for pair in result["pairs"] if pair["prompts"]]
    if not pairs:
        return
    worst = max(pairs, key=lambda pair: pair["best_disjoint_share"]["value"])
    disjoint, rank = worst["best_disjoint_share"], worst["rank_correlation"]["value"]
    if disjoint["value"] <= NOTABLE:
        text = (
            f"No two rewards (or reward and truth) have disjoint winners in more than {percent(disjoint)} of "
            "prompts: where their best sets differ, they mostly still share a behaviour."
        )
        yield finding("Prop 4.3", "note", ("pairs", disjoint), text)
        return
    agreement = "" if rank is None else f" (rank correlation within prompts {rank:.2f})"
    yield finding(
        "Prop 4.3",
        "warning" if disjoint["value"] > GRAVE else "note",
        ("pairs", disjoint),
        f"{worst['first']} and {worst['second']} disagree most: in {percent(disjoint)} of prompts they have no best "
        f"behaviour in common{agreement}.",
    )


def beta(result: dict[str, Any]) -> Iterator[Finding]:
    """The coefficient that keeps the policy in place."""
    advice = result["advice"]
    if not advice["beta"]:
        return
    cost = advice["kl_reward_cost"]
    yield finding(
        "Prop 4.7, Result 5",
        "note",
        ("advice.beta", None),
        f"A KL coefficient (or entropy temperature) of {advice['beta']:.3g} keeps the policy within total variation "
        f"{advice['max_shift']:.3g} under any reward error of {advice['reward_error']:.3g} "
        f"({advice['reward_error_origin']}); it gives up {number(cost)} of expected reward against the best sample.",
    )
