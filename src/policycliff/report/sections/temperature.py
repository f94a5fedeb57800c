"""The temperature of the soft policy (Sec 3.4, Prop 4.7, Result 4), to be moved in the page."""

from policycliff.report.elements import Html, join, tag
from policycliff.report.plots.layout import Plot
from policycliff.report.plots.temperature import shift_curves
from policycliff.report.sections.section import Section, plot_box
from policycliff.report.sliders.block import prompt_name, sample_block, shown_pairs, which_sample
from policycliff.report.sliders.controls import button, choice, live_box, live_tile, live_tiles, slider, switch
from policycliff.report.summary import Result
from policycliff.report.text import short

_TILES = (
    ("temperature-variation", "policy shift (total variation)"),
    ("temperature-sharp", "sharp bound, tanh(span / 4 beta)"),
    ("temperature-sup", "sup-norm bound, tanh(max / 2 beta)"),
    ("temperature-linear", "linear bound, max / 2 beta"),
)


def temperature_section(result: Result) -> Section | None:
    """A slider of beta with the policy of a prompt and the shift between two rewards; None without a sample."""
    block = sample_block(result)
    if block is None:
        return None
    pairs = [f"{short(pair['first'])} / {short(pair['second'])}" for pair in shown_pairs(result)]
    plots = {"temperature": shift_curves()} if pairs else {}
    body = live_box("temperature-sliders", _controls(result, pairs), _shift(plots) if pairs else None, _policy(result))
    meaning = (
        "The KL-optimal policy towards the sampling policy weighs each completion by exp(reward / beta): a small beta "
        "follows the reward over the cliff, a large one keeps to the samples. Its shift when one reward replaces "
        "another stays below every bound. It reweights completions that were sampled and says nothing of others."
    )
    return Section(
        "temperature",
        "Temperature",
        meaning,
        "Sec 3.4, Prop 4.7, Result 4",
        body,
        plots,
        data={"sample": block},
        scripts=("sample", "soft_policies", "temperature"),
    )


def _controls(result: Result, pairs: list[str]) -> Html:
    return join(
        tag("p", which_sample(result), class_="caption"),
        slider("temperature-beta", "beta, in units of reward", low=-40, high=40, step=1, value=0),
        choice("temperature-pair", "rewards", pairs) if pairs else None,
        switch("temperature-scaled", "rewards scaled to standard deviation 1 within each prompt"),
        button("temperature-reset", "beta in use"),
    )


def _shift(plots: dict[str, Plot]) -> Html:
    first, *bounds = (live_tile(name, label) for name, label in _TILES)
    notes = [tag("p", id=name, class_="caption") for name in ("temperature-prompts", "temperature-samples")]
    label = "Curves of the policy shift and its three bounds against beta"
    return join(
        live_tiles(first, *bounds),
        notes,
        plot_box("temperature", "Policy shift against beta, and its bounds", plots["temperature"], label=label),
    )


def _policy(result: Result) -> Html:
    names = [prompt_name(prompt) for prompt in result["sample"]["prompts"]]
    table = tag(
        "table",
        tag("thead", tag("tr", id="temperature-head")),
        tag("tbody", id="temperature-policy"),
        aria_label="Policy at the chosen prompt",
    )
    return join(
        tag("h3", "The policy at one prompt"),
        choice("temperature-prompt", "prompt", names),
        tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Policy at the chosen prompt"),
        tag("p", id="temperature-more", class_="caption"),
    )
