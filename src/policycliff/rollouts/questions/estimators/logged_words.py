"""Findings on what the table logged."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.format import number, percent, quantity
from policycliff.rollouts.questions.answer import finding
from policycliff.rollouts.questions.estimators.advantages import TITLES

Figures = Mapping[str, Any]


def logged_findings(figures: Figures) -> list[dict[str, Any]]:
    """On the logged scalar and on the logged advantages, where there are such columns."""
    found = []
    if figures["logged_scalar"] is not None:
        found.append(_scalar(figures["logged_scalar"]))
    if figures["logged_advantages"] is not None:
        found.append(_advantages(figures["logged_advantages"]))
    return found


def _scalar(logged: Figures) -> dict[str, Any]:
    name = logged["column"]
    if not logged["rows"]:
        return finding("note", f"Column {name} holds no usable number to compare the weighted sum with.")
    if not logged["differing"]:
        return finding(
            "good", f"The logged scalar {name} is the weighted sum in all {quantity('row', logged['rows'])}."
        )
    text = (
        f"The logged scalar {name} is not the weighted sum: it differs in {percent(logged['differing_share'])} of "
        f"{quantity('row', logged['rows'])}, by {number(logged['median_difference'])} in the median and by "
        f"{number(logged['largest_difference'])} at most."
    )
    fit = logged["weights_that_fit"]
    if fit is not None:
        shown = " + ".join(
            number(weight) if part == "constant" else f"{number(weight)} {part}"
            for part, weight in fit.items()
            if weight
        )
        text += f" It follows these weights instead: {shown}."
    elif logged["given"]:
        text += " No other weights of these rewards give it: another reward, a clip or a penalty took part."
    else:
        text += " If it is another score, that is well; the column was found by its name (--logged COL names one)."
    return finding("warning" if logged["given"] or fit is not None else "note", text)


def _advantages(logged: Figures) -> dict[str, Any]:
    name, fits = logged["column"], logged["fits"]
    if not any(fit["rows"] for fit in fits.values()):
        return finding("note", f"Column {name} holds no usable number to compare advantages with.")
    if logged["equal"]:
        titles = " and ".join(TITLES[key] for key in logged["equal"])
        return finding("good", f"The logged advantages ({name}) are those of {titles} with these weights.")
    explained = {key: fit["explained"] for key, fit in fits.items() if fit["explained"] is not None}
    if not explained:
        return finding("warning", f"The logged advantages ({name}) are not those of any estimator with these weights.")
    best = max(explained, key=lambda key: explained[key])
    text = (
        f"The logged advantages ({name}) are not those of any estimator with these weights. Nearest is {TITLES[best]}: "
        f"times {number(fits[best]['factor'])} it explains {percent(max(explained[best], 0.0))} of them, and "
        f"{percent(fits[best]['equal_share'])} of the rows are equal. Check weights, groups, "
        "batches, --epsilon and, where scores are missing, --missing zero."
    )
    return finding("warning", text)
