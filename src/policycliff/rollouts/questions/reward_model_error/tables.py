"""The tables of the answer."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = Mapping[str, Any]


def tables_of(figures: Figures, standardise: str | None) -> list[dict[str, Any]]:
    """What the terminal and the page show."""
    tables = [_members(figures), _pairs(figures), _chances(figures), _coefficients(figures, standardise)]
    tables += [_curve(figures)] if figures["shift_curve"] else []
    return tables if figures["truth"] is None else [*tables, _picks(figures["truth"]), _agreement(figures["truth"])]


def _members(figures: Figures) -> dict[str, Any]:
    return answer_table(
        "members",
        "Each member beside the others",
        [
            column("member", "member", "name"),
            column("picks_other_share", "picks another best than the others' mean", "share"),
            column("spearman_with_others", "rank correlation with it", "mean"),
            column("tied_share", "prompts it ties", "share"),
            column("scale", "spread within prompts", "number"),
        ],
        figures["members"],
        meaning="A member far from the rest is the outlier, or the only one that is right; spread is in its own units.",
    )


def _pairs(figures: Figures) -> dict[str, Any]:
    rows = [{**row, "pair": f"{row['first']} and {row['second']}"} for row in figures["pairs"]]
    return answer_table(
        "pairs",
        "Members two by two",
        [
            column("pair", "members", "name"),
            column("kendall", "Kendall's tau-b", "mean"),
            column("spearman", "Spearman's rho", "mean"),
            column("correlated_prompts", "prompts behind them", "count"),
            column("best_differs_share", "best sets differ", "share"),
            column("best_disjoint_share", "no best in common", "share"),
        ],
        rows,
        meaning="Ranks of the completions within a prompt, averaged over the prompts where neither member is constant.",
    )


def _chances(figures: Figures) -> dict[str, Any]:
    new, left = figures["new_member"], figures["left_out"]
    unknown = {"value": None, "low": None, "high": None}
    rows = [
        ("a member left out picks another best than the rest: seen", left["observed"]),
        ("... and shares no best with the rest, ties or not: seen", left["observed_disjoint"]),
        ("... predicted from the rest by the model", left["predicted"] or unknown),
        ("a further member picks another best: by the model", new["flip_probability_mean"]),
        ("... where the mean has one best", new["unique_flip_probability_mean"]),
        ("... there, at least (the likeliest rival alone)", new["unique_likeliest_rival_mean"]),
        ("... there, at most (all rivals added up)", new["unique_sum_over_rivals_mean"]),
    ]
    return answer_table(
        "flips",
        "How often one member picks another best completion than the mean",
        [column("figure", "figure", "name"), column("share", "prompts", "share")],
        [{"figure": name, "share": value} for name, value in rows],
        meaning=(
            "Picks among tied completions are drawn at random. The model: Gaussian errors, independent over members, "
            "of unknown size in each prompt (Student's t)."
        ),
        statement="Result 1",
    )


def _coefficients(figures: Figures, standardise: str | None) -> dict[str, Any]:
    unit = "standardised" if standardise else "reward"
    return answer_table(
        "coefficients",
        "The KL coefficient that covers the disagreement",
        [
            column("covered", "of the prompts", "share"),
            column("error", f"error of the worst member ({unit} units)", "mean"),
            column("beta", "least beta", "mean"),
        ],
        figures["coefficients"],
        meaning=(
            "Under this beta, putting any one member in place of the others' mean moves the KL-optimal policy by at "
            f"most {figures['max_shift']:g} in total variation, in this share of the prompts."
        ),
        statement="Result 4",
    )


def _curve(figures: Figures) -> dict[str, Any]:
    return answer_table(
        "shift",
        "How far one member in place of the others' mean moves the policy",
        [
            column("beta", "beta", "number"),
            column("bound", "bound (any completions)", "share"),
            column("measured", "among the sampled completions", "share"),
        ],
        figures["shift_curve"],
        meaning="Total variation of the KL-optimal policy, averaged over members and prompts.",
        statement="Result 4",
        plot=line_plot("beta", ["bound", "measured"], x_title="KL coefficient beta", y_title="shift", log_x=True),
    )


def _picks(truth: Figures) -> dict[str, Any]:
    return answer_table(
        "truth",
        f"What the picks are worth in {truth['column']}",
        [column("picked_by", "picked by", "name"), column("truth", "mean truth", "mean")],
        truth["picks"],
        meaning="Mean truth of the best completion under each member, ties drawn at random.",
    )


def _agreement(truth: Figures) -> dict[str, Any]:
    return answer_table(
        "agreement",
        "Does disagreement warn of error?",
        [
            column("agreement", "prompts where", "name"),
            column("prompts", "prompts", "count"),
            column("wrong_share", "the mean's picks lose truth", "share"),
            column("truth_lost", "truth lost", "mean"),
        ],
        truth["by_agreement"],
        meaning="Only prompts whose completions differ in truth. Errors that all members share show in the first line.",
    )
