"""The tables of the answer."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = Mapping[str, Any]


def tables_of(figures: Figures) -> list[dict[str, Any]]:
    """What the terminal and the page show."""
    weights = figures["weights"]
    known = weights is not None and weights["prompts"] > 0
    judged = [_estimates(weights), _reach(weights)] if known else []
    return [_unseen(figures["unseen"]), *_curves(figures["subsets"]), *judged]


def _unseen(unseen: Figures) -> dict[str, Any]:
    names = {
        "new_behaviour": "shows a completion not seen before",
        "changes_best_set": "changes which completions are best",
        "beats_best": "beats the best",
        "beats_best_bound": "beats the best: at most, whatever the policy (1 / n)",
        "ties_best": "ties the best",
        "beyond_beats_best_bound": "beyond the table, beats the best: at most (1 / (n + 1))",
    }
    return answer_table(
        "further-draw",
        "What the last completion of a prompt adds to the others",
        [column("what", "the last completion", "name"), column("chance", "chance", "share")],
        [{"what": name, "chance": unseen[key]} for key, name in names.items()],
        meaning="Each draw of a prompt in turn is looked at after the others: unbiased for exchangeable draws.",
    )


def _curves(subsets: Figures) -> list[dict[str, Any]]:
    last = subsets["twice"]
    best = [{"k": point["k"], "least": point["best"], "most": point["best"]} for point in subsets["points"]]
    best.append({"k": last["k"], "least": last["best_at_least"], "most": last["best_at_most"]})
    return [
        answer_table(
            "best",
            "The best reward of k completions",
            [
                column("k", "k", "count"),
                column("least", "expected best, at least", "mean"),
                column("most", "expected best, at most", "mean"),
            ],
            best,
            meaning=(
                f"By counting over all subsets of the table's completions, up to k = {subsets['common_group_size']}. "
                "The last line brackets twice that: each further draw adds less than the one before."
            ),
            plot=line_plot(
                "k", ["least", "most"], x_title="completions a prompt", y_title="expected best reward", log_x=True
            ),
        ),
        answer_table(
            "ties",
            "Ties and gap among k completions",
            [
                column("k", "k", "count"),
                column("tied_share", "best reward tied", "share"),
                column("zero_spread_share", "all rewards equal", "share"),
                column("gap", "gap, best to next", "mean"),
            ],
            subsets["points"],
            meaning=(
                "Ties between different completions; the gap is 0 where they tie and is over groups with two of them. "
                "Nothing brackets these beyond the table's own size."
            ),
            plot=line_plot(
                "k",
                ["tied_share", "zero_spread_share"],
                x_title="completions a prompt",
                y_title="share of groups",
                log_x=True,
            ),
        ),
    ]


def _estimates(weights: Figures) -> dict[str, Any]:
    return answer_table(
        "rewards",
        "Expected rewards under the policy of interest",
        [
            column("reward", "reward", "name"),
            column("sampled", "as sampled", "mean"),
            column("weighted", "weighted", "mean"),
            column("difference", "difference", "mean"),
            column("bias", "bias of the weighting", "mean"),
        ],
        weights["estimates"],
        meaning=(
            "Weighted by ratios that are divided by their sum within each prompt. That pulls towards the sampled mean; "
            "the bias is estimated to first order, and not where one weight rules a prompt."
        ),
    )


def _reach(weights: Figures) -> dict[str, Any]:
    rows = [
        ("completions a prompt that the weights leave, mean", weights["effective_sample_size_mean"]),
        ("the same, median prompt", weights["effective_sample_size_median"]),
        ("completions that the estimate rests on, in all", weights["effective_sample_size_overall"]),
        ("the same without weights", weights["sample_size_overall"]),
        ("weight of the heaviest completion of a prompt", weights["largest_weight_mean"]),
        ("mean ratio (1 if both columns are what they claim)", weights["mean_ratio"]),
        ("Pareto shape of the ratios", weights["pareto_shape"]),
        ("dependable below a shape of", weights["pareto_shape_reliable_below"]),
    ]
    return answer_table(
        "weights",
        "How far the samples carry",
        [column("figure", "figure", "name"), column("value", "value", "mean")],
        [{"figure": name, "value": value} for name, value in rows],
        meaning="The effective sample size is (sum of weights) squared over the sum of their squares.",
    )
