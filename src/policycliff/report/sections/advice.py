"""What to do (Prop 3.2, Prop 4.7, Result 5): a coefficient with its price, columns that break ties, prompts to drop."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.cells import mean_cell, name_cell, share_cell
from policycliff.report.elements import Html, details, join, paragraph, table, tag
from policycliff.report.format import count, interval, number, quantity
from policycliff.report.sections.section import Section, tile, tiles
from policycliff.report.summary import Result
from policycliff.report.text import one_line, short

_SHOWN = 200


def advice_section(result: Result) -> Section:
    """The least coefficient, the tie-breakers and the drop list."""
    advice = result["advice"]
    body = join(
        tag("h3", "A coefficient that keeps the policy in place"),
        _coefficient(advice),
        tag("h3", "Columns that would break consequential ties"),
        _tie_breakers(advice["tie_breakers"], truth=result["truth"]),
        tag("h3", "Prompts to leave out"),
        _drop_list(advice["drop_list"], advice["drop_list_counts"], result["counts"]["prompts"]),
    )
    meaning = (
        "A KL penalty or an entropy bonus makes the policy move continuously with the reward; a tie-breaker decides "
        "what the reward leaves open; prompts without signal can go."
    )
    return Section("advice", "What to do", meaning, "Prop 3.2, Prop 4.7, Result 5", body)


def _coefficient(advice: Mapping[str, Any]) -> Html:
    error = f"a reward error of {number(advice['reward_error'])} ({one_line(advice['reward_error_origin'])})"
    if not advice["beta"]:
        return paragraph(f"Not estimable: {error} asks for no coefficient.")
    costs = (
        ("expected reward given up with a KL penalty towards the sampling policy", advice["kl_reward_cost"]),
        ("given up with an entropy bonus", advice["entropy_reward_cost"]),
        ("for comparison: given up by not training at all", advice["sampling_reward_cost"]),
    )
    return join(
        paragraph(
            f"Least coefficient under which {error} moves the policy of no prompt by more than "
            f"{number(advice['max_shift'])} in total variation; its price is counted against always taking the best "
            "sampled completion."
        ),
        tiles(
            tile("KL coefficient beta, or entropy temperature", number(advice["beta"])),
            *(tile(label, number(cost["value"]), interval(cost)) for label, cost in costs),
        ),
    )


def _tie_breakers(columns: Sequence[Mapping[str, Any]], *, truth: Mapping[str, Any] | None) -> Html:
    if not columns:
        return paragraph("No column breaks a consequential tie, or there is none to break.")
    head = ["column", "prefer", "breaks, of the consequential ties"]
    name = None if truth is None else one_line(truth["column"])
    if name is not None:
        head.append(f"{name} gained over picking at random")
    rows = [_tie_breaker(column, with_truth=name is not None) for column in columns]
    caption = (
        "A column breaks a tie where one of the tied behaviours has its greatest (or smallest) value alone. It is "
        "found on these prompts, so check it on others before trusting it."
    )
    return table(head, rows, caption=caption, label="Columns that break consequential ties")


def _tie_breaker(column: Mapping[str, Any], *, with_truth: bool) -> list[str | Html]:
    row = [name_cell(column["column"]), column["prefer"], share_cell(column["breaks_share"])]
    return [*row, _gain(column["truth_gain"])] if with_truth else row


def _gain(figure: Mapping[str, Any] | None) -> Html:
    """What following the column gains in the truth; said in words where it costs."""
    cell = mean_cell(figure)
    if figure is None or figure["high"] is None or figure["high"] >= 0:
        return cell
    return join(cell, tag("span", "breaks ties the wrong way", class_="sure"))


def _drop_list(listed: Sequence[Mapping[str, Any]], reasons: Mapping[str, int], prompts: int) -> Html:
    if not listed:
        return paragraph("None: every prompt gives a signal.")
    total = sum(reasons.values())
    said = ", ".join(f"{count(times)} for {reason}" for reason, times in sorted(reasons.items()))
    lines = [tag("li", tag("code", short(item["prompt"], 80)), f" {item['reason']}") for item in listed[:_SHOWN]]
    hidden = total - len(lines)
    rest = None if hidden <= 0 else paragraph(f"and {count(hidden)} more; --drop-list writes all of them.")
    return join(
        paragraph(f"{quantity('prompt', total)} of {count(prompts)}: {said}."),
        details("The list", tag("ul", lines, class_="ids"), rest),
    )
