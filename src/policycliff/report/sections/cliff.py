"""Distance to the cliff (Result 1, Thm 2.7): radii, flips, noise."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.cells import mean_cell, name_cell, noted_cell, share_cell
from policycliff.report.elements import Html, join, paragraph, table
from policycliff.report.format import Number, count, number, percent, quantity, share_text
from policycliff.report.plots.cliff import flip_bars, has_margins, margins
from policycliff.report.plots.layout import Plot
from policycliff.report.sections.section import Section, beside, plot_box
from policycliff.report.summary import Result, shown_rewards
from policycliff.report.text import one_line

_QUANTILES = ("p05", "p25", "p50", "p75", "p95")
_RADIUS_HEAD = (
    "reward",
    "radius 0 (tied)",
    "unique best",
    "radius: 5, 25, 50, 75, 95 %",
    "where unique",
    "set radius, median",
    "within-prompt scale",
)
_NOISE_HEAD = (
    "reward",
    "noise of one score (σ)",
    "where it comes from",
    "median winning margin",
    "best set lost when scored again",
    "a unique best loses",
    "seen in second scores",
)


def cliff_section(result: Result) -> Section:
    """What flips at which error; noise beside the winning margins; the radii."""
    rewards = {name: figures for name, figures in shown_rewards(result).items() if figures["prompts"]}
    plots: dict[str, Plot] = {"flips": flip_bars(rewards)}
    with_margins = {name: figures for name, figures in rewards.items() if has_margins(figures)}
    if with_margins:
        plots["margins"] = margins(with_margins, height=plots["flips"]["layout"]["height"])
    body = join(
        beside(
            plot_box("flips", "Untied prompts that a reward error can flip", plots["flips"], label=_label(rewards)),
            plot_box(
                "margins",
                "Winning margins of unique best behaviours, and noise",
                plots.get("margins"),
                label="Box plots of the winning margin by reward, with the noise of one score",
            ),
        ),
        table(_RADIUS_HEAD, [_radius_row(name, item) for name, item in rewards.items()], label="Radius by reward"),
        _noise(rewards),
        _left_out(rewards),
    )
    meaning = (
        "The radius of a prompt is the smallest reward error that can make another behaviour best: 0 where it is "
        "tied, half the winner's lead where one behaviour is best alone. The scale is what rewards differ by within "
        "a prompt; the set radius is measured from the tied set to the next value."
    )
    return Section("cliff", "Distance to the cliff", meaning, "Result 1, Thm 2.7, Sec 6.2", body, plots)


def _radius_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    radius, scale = figures["radius"], figures["scale"]
    return [
        name_cell(name),
        share_cell(radius["tied_share"]),
        share_cell(radius["unique_share"]),
        _quantiles(radius["quantiles"]),
        _quantiles(radius["unique_quantiles"], nothing="no unique best"),
        _median(figures["set_radius"]["quantiles"]),
        "constant within prompts"
        if scale["origin"] == "constant"
        else noted_cell(number(scale["value"]), scale["origin"]),
    ]


def _quantiles(quantiles: Mapping[str, Number] | None, nothing: str = "undefined") -> str:
    return nothing if quantiles is None else ", ".join(number(quantiles[key]) for key in _QUANTILES)


def _median(quantiles: Mapping[str, Number] | None) -> str:
    return "all behaviours tied" if quantiles is None else number(quantiles["p50"])


def _noise(rewards: Mapping[str, Mapping[str, Any]]) -> Html:
    """Noise by reward, or in a sentence that nothing is known of it."""
    if all(figures["noise"]["sigma"] is None for figures in rewards.values()):
        asked = any(figures["noise"]["origin"] != "not asked" for figures in rewards.values())
        repeats = max(figures["noise"]["samples"] for figures in rewards.values())
        why = f"not estimable ({quantity('repeated score', repeats)})" if asked else "not asked for"
        return paragraph(f"The noise of a score is {why}, so how often a new score would flip the best is unknown.")
    return table(_NOISE_HEAD, [_noise_row(name, item) for name, item in rewards.items()], label="Noise by reward")


def _noise_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    noise, margin = figures["noise"], figures["winning_margin_median"]
    unknown = "unknown: noise " + ("not asked for" if noise["origin"] == "not asked" else "not estimable")
    return [
        name_cell(name),
        _sigma(noise, unknown),
        _origin(noise),
        "no unique best" if margin is None else number(margin),
        share_cell(figures["flip_probability_mean"], unknown=unknown),
        share_cell(
            figures["unique_loses_probability_mean"],
            unknown="no unique best" if noise["sigma"] is not None else unknown,
        ),
        _observed(figures["rerun"]),
    ]


def _sigma(noise: Mapping[str, Any], unknown: str) -> str:
    sigma = noise["sigma"]
    if sigma is None:
        return unknown
    return mean_cell(sigma) if noise["samples"] else number(sigma["value"])


def _origin(noise: Mapping[str, Any]) -> str:
    samples = f", {count(noise['samples'])} repeats" if noise["samples"] else ""
    if noise["sigma"] is None:
        return f"{one_line(noise['origin'])}{samples}"
    return noted_cell(f"{one_line(noise['origin'])}{samples}", noise["method"])


def _observed(rerun: Mapping[str, Any] | None) -> str:
    if rerun is None:
        return "no second scores"
    predicted = percent(rerun["predicted_flip_probability_mean"]["value"])
    return f"{share_text(rerun['observed_flip_share'])} of {count(rerun['prompts'])} prompts; predicted {predicted}"


def _left_out(rewards: Mapping[str, Mapping[str, Any]]) -> Html | None:
    missing = sorted({one_line(name) for figures in rewards.values() for name in figures["noise"]["left_out"]})
    if not missing:
        return None
    return paragraph(f"The noise of {', '.join(missing)} is not known and counts as 0 in the effective reward.")


def _label(rewards: Mapping[str, Mapping[str, Any]]) -> str:
    said = [
        f"{one_line(name)} {percent(figures['flip_shares'][-1]['untied_share']['value'])}"
        for name, figures in rewards.items()
    ]
    return f"Bars of prompts that flip by reward and error. At a tenth of the scale: {', '.join(said)}."
