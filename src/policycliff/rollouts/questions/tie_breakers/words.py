"""The answer in words and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.rollouts.analyses.findings.words import number, percent, severity_of
from policycliff.rollouts.questions.answer import Severity, finding

Row = Mapping[str, Any]
_MOST_NAMED = 3


def recommended(rows: Sequence[Row]) -> Row | None:
    """The candidate to take; None where none serves.

    With a truth, the one of greatest gain among those that gain for certain; else the one that resolves most ties, of
    these the one whose weight has most room.
    """
    known = [row for row in rows if "note" not in row and row["resolved_share"]["count"] > 0]
    if any(row["truth"] is not None for row in known):
        gaining = [row for row in known if (row["truth"]["gain"]["low"] or 0.0) > 0.0]
        return max(gaining, key=lambda row: row["truth"]["gain_all_prompts"]["value"], default=None)
    return max(known, key=lambda row: (row["resolved_share"]["count"], _room(row)), default=None)


def findings_of(figures: Row) -> list[dict[str, Any]]:
    """The answer first: what to take, at which weight; then what harms, and what the weight does besides."""
    rows = [row for row in figures["candidates"] if "note" not in row]
    if figures["ties"] == 0:
        return [finding("good", _nothing_to_break(figures), statement="Prop 2.10")]
    chosen = chosen_of(figures)
    found = [_no_choice(figures, leading(figures)) if chosen is None else _choice(figures, chosen)]
    found += [] if chosen is None else _no_signal(figures, chosen)
    found += _harmful(figures, rows)
    lacking = [row for row in figures["candidates"] if row["prompts_without_values"] and row["prefer"] == "larger"]
    found += [
        finding("note", f"{row['candidate']} has no value for some completion of {row['prompts_without_values']} "
                "prompts: they are left out of its figures, and their ties count as not resolved.")
        for row in lacking
    ]  # fmt: skip
    return found


def chosen_of(figures: Row) -> Row | None:
    """Figures of the candidate recommended."""
    wanted = figures["recommended"]
    rows = figures["candidates"]
    return None if wanted is None else next(row for row in rows if wanted.items() <= row.items())


def leading(figures: Row) -> Row | None:
    """Figures of the candidate recommended, else of the best among those that resolve some tie."""
    chosen = chosen_of(figures)
    able = [row for row in figures["candidates"] if "note" not in row and row["resolved_share"]["count"] > 0]
    if chosen is not None or not able:
        return chosen
    return max(able, key=lambda row: row["truth"]["gain"]["value"] or 0.0)


def _choice(figures: Row, row: Row) -> dict[str, Any]:
    known = figures["truth"] is not None
    text = f"{_problem(figures)} Take {signed(row)}: it resolves {percent(row['resolved_share'])} of these ties"
    if known:
        gain = row["truth"]["gain"]
        before, after = (f"{row['truth'][key]['value']:.3g}" for key in ("before", "after"))
        text += f", where it raises {figures['truth']} from {before} to {after}, by {number(gain)}. "
    else:
        text += ". Which direction is right the table cannot say without --truth. "
    return finding(_severity(figures), text + _about_weight(row), statement="Prop 3.2")


def _about_weight(row: Row) -> str:
    largest = row["largest_weight"]
    if largest is None:
        return "No weight, however large, overturns a best behaviour that was not tied."
    text = f"Below the weight {largest:.3g} it overturns no best behaviour"
    order = row["largest_weight_whole_order"]
    text += f" (below {order:.3g} no strict preference at all)" if order is not None and order < largest else ""
    if row["weight"] is None or row["only_breaks_ties"]:
        return text + ("." if row["weight"] is None else f"; {row['weight']:.3g} ({row['weight_origin']}) is below it.")
    cost = row["at_weight"]
    return (
        f"{text}; at {row['weight']:.3g} ({row['weight_origin']}) it overturns the best of "
        f"{percent(cost['overturned_share'])} of all prompts and gives up {number(cost['reward_lost'])} of the reward."
    )


def _no_choice(figures: Row, best: Row | None) -> dict[str, Any]:
    if best is None:
        text = f"{_problem(figures)} No candidate resolves any of these ties."
        return finding(_severity(figures), text, statement="Prop 3.2")
    text = (
        f"{_problem(figures)} No candidate gains {figures['truth']} for certain: the best, {signed(best)}, changes it "
        f"by {number(best['truth']['gain'])} there. Whichever is taken, something else than the truth decides. "
    )
    return finding(_severity(figures), text + _about_weight(best), statement="Prop 3.2")


def _no_signal(figures: Row, row: Row) -> list[dict[str, Any]]:
    alone = row["no_signal_but_this_share"]
    if alone["count"] == 0:
        return []
    text = (
        f"In {percent(alone)} of prompts every completion has the same reward, also where all fail: with group "
        f"normalisation {row['candidate']} alone is trained on there, at full size whatever its weight."
    )
    return [finding(_besides(figures), text, statement="Result 8")]


def _harmful(figures: Row, rows: Sequence[Row]) -> list[dict[str, Any]]:
    known = [row for row in rows if row["truth"] is not None and row["truth"]["gain"]["high"] is not None]
    losing = sorted((row for row in known if row["truth"]["gain"]["high"] < 0.0), key=_gain)
    if not losing:
        return []
    told = "; ".join(f"{signed(row)} by {number(row['truth']['gain'])}" for row in losing[:_MOST_NAMED])
    more = f"; and {len(losing) - _MOST_NAMED} more" if len(losing) > _MOST_NAMED else ""
    text = f"The wrong way round, a tie-breaker lowers {figures['truth']} where there was a tie: {told}{more}."
    return [finding(_besides(figures), text, statement="Prop 3.1")]


def _problem(figures: Row) -> str:
    return f"{figures['prompts']} prompts have {named_ties(figures)} ({percent(figures['ties_share'])})."


def _severity(figures: Row) -> Severity:
    """How bad it is that there are ties to break; never good, so that the answer comes first."""
    severity: Severity = severity_of(figures["ties_share"])  # type: ignore[assignment]
    return "note" if severity == "good" else severity


def _besides(figures: Row) -> Severity:
    """What is said besides is no graver than the answer."""
    return "note" if _severity(figures) == "note" else "warning"


def _nothing_to_break(figures: Row) -> str:
    tied = figures["tied_prompts"]
    if figures["ties_are"] == "all" or tied == 0:
        return f"None of {figures['prompts']} prompts has a tie at the top: there is nothing to break."
    return (
        f"{tied} of {figures['prompts']} prompts are tied at the top, but between behaviours that measure alike in the "
        "truth, the rewards and the behaviour named: there is nothing to break."
    )


def named_ties(figures: Row) -> str:
    """The ties that count, with their number."""
    kind = "consequential ties" if figures["ties_are"] == "consequential" else "ties"
    return f"{figures['ties']} {kind}"


def signed(row: Row) -> str:
    """A candidate with its direction, as it would be added to the reward."""
    return f"{'+' if row['prefer'] == 'larger' else '-'}{row['candidate']}"


def _gain(row: Row) -> float:
    return float(row["truth"]["gain"]["value"])


def _room(row: Row) -> float:
    """How many times the weight judged at the largest weight is."""
    if row["largest_weight"] is None:
        return float("inf")
    return 0.0 if row["weight"] is None else float(row["largest_weight"]) / row["weight"]
