"""The figures as the tables of the answer."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot
from policycliff.rollouts.questions.estimators.advantages import TITLES

Figures = Mapping[str, Any]
_DRAWN = ("grpo", "dr_grpo", "batch", "gdpo", "reinforce_pp")


def answer_tables(figures: Figures) -> list[dict[str, Any]]:
    """All tables, the one that answers the question first."""
    tables = [_main(figures), _directions(figures), _sizes(figures)]
    if figures["groups"]["tied"]["count"]:
        tables.insert(1, _ties(figures))
    if figures["collapse"] is not None:
        tables += [_components(figures), _collapse(figures)]
    tables.append(_curve(figures))
    if figures["logged_advantages"] is not None:
        tables.append(_fits(figures))
    return tables


def _main(figures: Figures) -> dict[str, Any]:
    with_phantoms = figures["groups"]["phantom"] is not None
    columns = [
        column("name", "estimator", "name"),
        column("near", "signal from nearly tied groups", "share"),
        *([column("shaping", "from groups ranked by shaping alone", "share")] if with_phantoms else []),
        *([column("phantom", "of these, all failing", "share")] if with_phantoms else []),
        column("noise", "change if scored again", "share"),
        column("largest", "largest / typical advantage", "number"),
    ]
    rows = [
        {
            "name": item["title"],
            "near": item["signal"]["near"],
            "shaping": item["signal"]["shaping"],
            "phantom": item["signal"]["phantom"],
            "noise": None if item["noise"] is None else item["noise"]["overall"],
            "largest": item["largest_in_rms"],
        }
        for item in figures["estimators"].values()
    ]
    meaning = (
        "Signal is the squared advantage, summed over completions; typical is the root mean square advantage. "
        "Ranked by shaping alone: the main reward is the same throughout the group. "
        "Change: root mean square, in typical advantages, under one more error of the scorer."
    )
    return answer_table("estimators", "Estimators", columns, rows, meaning=meaning)


def _ties(figures: Figures) -> dict[str, Any]:
    columns = [
        column("name", "estimator", "name"),
        column("silent", "groups without signal", "share"),
        column("pushed", "tied groups pushed", "count"),
        column("signal", "signal from tied groups", "share"),
        column("noise", "tied groups if scored with noise", "share"),
    ]
    rows = [
        {
            "name": item["title"],
            "silent": item["silent"],
            "pushed": item["tied_pushed"]["count"],
            "signal": item["signal"]["tied"],
            "noise": None if item["noise"] is None else item["noise"]["tied"],
        }
        for item in figures["estimators"].values()
    ]
    meaning = (
        "Tied: all weighted sums of the group are equal. With noise: root mean square advantage that one error of the "
        "scorer makes of a tie, in typical advantages."
    )
    return answer_table("ties", "Tied groups", columns, rows, meaning=meaning)


def _directions(figures: Figures) -> dict[str, Any]:
    columns = [
        column("name", "estimator", "name"),
        column("opposite", "pushed the other way than by GRPO", "share"),
        column("only_one", "pushed by only one of both", "share"),
    ]
    items = [item for item in figures["estimators"].values() if item["against_grpo"] is not None]
    rows = [{"name": item["title"], **item["against_grpo"]} for item in items]
    meaning = "Share of a group's completions, in the mean over groups. The others push each one the way GRPO does."
    return answer_table("directions", "Directions", columns, rows, meaning=meaning)


def _sizes(figures: Figures) -> dict[str, Any]:
    columns = [
        column("name", "estimator", "name"),
        column("rms", "typical advantage", "number"),
        column("largest", "largest advantage", "number"),
        column("largest_group", "in group", "text"),
        column("median_gain", "median gain", "number"),
        column("largest_gain", "largest gain", "number"),
        column("gain_group", "in group", "text"),
    ]
    rows = [
        {
            "name": item["title"],
            "rms": item["rms"],
            "largest": item["largest"],
            "largest_group": item["largest_group"],
            "median_gain": item["gain"]["median"],
            "largest_gain": item["gain"]["largest"],
            "gain_group": item["gain"]["group"],
        }
        for item in figures["estimators"].values()
    ]
    meaning = (
        "The gain of a group is what a difference of two rewards is multiplied by; groups without spread left out."
    )
    return answer_table("sizes", "Sizes and gains", columns, rows, meaning=meaning)


def _components(figures: Figures) -> dict[str, Any]:
    weights = figures["weights"]
    keys = {name: f"component-{position}" for position, name in enumerate(weights)}
    columns = [column("name", "estimator", "name"), *(column(key, name, "share") for name, key in keys.items())]
    total = sum(map(abs, weights.values()))
    rows = [{"name": "share of the weights"} | {keys[name]: abs(weight) / total for name, weight in weights.items()}]
    rows += [
        {"name": item["title"]} | {keys[name]: part for name, part in item["components"].items()}
        for item in figures["estimators"].values()
    ]
    meaning = "Share of each reward in the squared advantage; negative where it mostly opposes the others."
    return answer_table("components", "What the advantage is made of", columns, rows, meaning=meaning)


def _collapse(figures: Figures) -> dict[str, Any]:
    columns = [
        column("name", "advantages from", "name"),
        column("combinations", "distinct combinations of scores", "count"),
        column("levels", "distinct advantages", "count"),
        column("lost", "lost", "share"),
        column("groups", "groups that lose some", "share"),
    ]
    found = figures["collapse"]
    titles = {"sum": "the weighted sum (all but GDPO)", "decoupled": "rewards normalised one by one (GDPO)"}
    rows = [
        {
            "name": titles[name],
            "combinations": found["combinations"],
            "levels": item["levels"],
            "lost": item["lost_share"],
            "groups": item["groups_that_lose"],
        }
        for name, item in found["of"].items()
    ]
    meaning = "Combinations of component scores within a group that get one and the same advantage."
    return answer_table("collapse", "Combinations that collapse", columns, rows, meaning=meaning)


def _curve(figures: Figures) -> dict[str, Any]:
    columns = [
        column("groups", "groups of least spread", "share"),
        *(column(key, TITLES[key], "share") for key in _DRAWN),
    ]
    rows = [{name: row[name] for name in ("groups", *_DRAWN)} for row in figures["curve"]]
    plot = line_plot("groups", list(_DRAWN), x_title="share of the groups, least spread first", y_title="of the signal")
    meaning = "Share of the signal of this table that its groups of least spread hold; on the diagonal all count alike."
    return answer_table("curve", "Where the signal comes from", columns, rows, meaning=meaning, plot=plot)


def _fits(figures: Figures) -> dict[str, Any]:
    columns = [
        column("name", "estimator", "name"),
        column("equal", "equal to the logged", "share"),
        column("largest", "largest difference", "number"),
        column("factor", "best factor", "number"),
        column("explained", "explained with it", "share"),
    ]
    rows = [
        {
            "name": TITLES[key],
            "equal": fit["equal_share"],
            "largest": fit["largest_difference"],
            "factor": fit["factor"],
            "explained": fit["explained"],
        }
        for key, fit in figures["logged_advantages"]["fits"].items()
    ]
    name = figures["logged_advantages"]["column"]
    meaning = (
        f"Column {name!r} against the advantages computed here; equal is to 0.2 %, as trainers compute in float32."
    )
    return answer_table("logged-advantages", "Logged advantages", columns, rows, meaning=meaning)
