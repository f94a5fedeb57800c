"""The answer's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot
from policycliff.rollouts.questions.tie_breakers.words import leading, named_ties, signed

Row = Mapping[str, Any]


def tables_of(figures: Row) -> list[dict[str, Any]]:
    """What each candidate does to the ties; what its weight may be; the curve of the one recommended."""
    rows = [row for row in figures["candidates"] if "note" not in row]
    chosen = leading(figures) or (rows[0] if rows else None)
    tables = [_ties_table(rows, figures), _weights_table(rows)]
    if chosen is not None and chosen["curve"]:
        tables.append(_curve_table(chosen))
    return tables


def _ties_table(rows: Sequence[Row], figures: Row) -> dict[str, Any]:
    columns = [
        column("candidate", "add", "name"),
        column("resolved", "ties resolved", "share"),
        column("partly", "made smaller", "share"),
    ]
    if figures["truth"] is not None:
        columns += [
            column("before", "truth, by chance", "mean"),
            column("after", "truth, broken", "mean"),
            column("gain", "gain", "mean"),
        ]
    shown = []
    for row in rows:
        truth = row["truth"] or {"before": None, "after": None, "gain": None}
        shown.append({"candidate": signed(row), "resolved": row["resolved_share"],
                      "partly": row["partly_resolved_share"], **truth})  # fmt: skip
    chance = (
        ""
        if figures["truth"] is None
        else f"; {figures['truth']} of a completion picked by chance among the tied, and of one picked by the candidate"
    )
    meaning = f"What each candidate does to the {named_ties(figures)} at a weight near 0{chance}."
    return answer_table("ties", "Ties broken", columns, shown, meaning=meaning, statement="Prop 3.2")


def _weights_table(rows: Sequence[Row]) -> dict[str, Any]:
    columns = [
        column("candidate", "add", "name"),
        column("best", "keeps every best below", "text"),
        column("order", "keeps the whole order below", "text"),
        column("most", "keeps 99 % of the best below", "text"),
        column("weight", "judged at", "number"),
        column("only", "only breaks ties", "text"),
        column("overturned", "best overturned", "share"),
        column("lost", "reward lost", "mean"),
        column("truth", "truth change", "mean"),
    ]
    shown = []
    for row in rows:
        at = row["at_weight"] or {"overturned_share": None, "reward_lost": None, "truth_gain": None}
        shown.append({
            "candidate": signed(row), "best": _bound(row["largest_weight"]),
            "order": _bound(row["largest_weight_whole_order"]), "most": _bound(row["largest_weight_in_99_percent"]),
            "weight": row["weight"],
                "only": _ONLY[row["only_breaks_ties"]], "overturned": at["overturned_share"], "lost": at["reward_lost"],
            "truth": at["truth_gain"],
        })  # fmt: skip
    if all(row["truth"] is None for row in shown):
        columns = columns[:-1]
    meaning = "Weights below which no strict preference is overturned (exact), and what happens at a practical weight."
    return answer_table("weights", "How large the weight may be", columns, shown, meaning=meaning)


def _curve_table(row: Row) -> dict[str, Any]:
    columns = [
        column("weight", "weight", "number"),
        column("best_lost", "best behaviour overturned", "share"),
        column("order_lost", "some order overturned", "share"),
    ]
    plot = line_plot("weight", ["best_lost", "order_lost"], x_title=f"weight of {signed(row)}",
                     y_title="share of prompts", log_x=True)  # fmt: skip
    return answer_table("curve", f"The weight of {signed(row)}", columns, row["curve"], plot=plot,
                        meaning="Share of prompts in which the tie-breaker does more than break ties.")  # fmt: skip


_ONLY = {True: "yes", False: "no", None: "unknown"}


def _bound(weight: float | None) -> str:
    return "any weight" if weight is None else f"{weight:.3g}"
