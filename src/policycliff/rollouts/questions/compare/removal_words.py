"""Findings of curation, in plain words."""

from typing import Any

from policycliff.rollouts.questions.answer import finding
from policycliff.rollouts.questions.compare.reward_words import LEVEL
from policycliff.rollouts.questions.compare.table_tables import SHORT, TITLES

Figures = dict[str, Any]
_MOST_TOLD = 4


def removal_findings(figures: Figures) -> list[dict[str, Any]]:
    """What was removed and what that does; the answer first."""
    found, whole, part = figures["matching"], figures["whole"], figures["part"]
    gone, rows_gone = found[f"unmatched_{whole.lower()}"], found["rows_removed_from_kept"]
    if not gone and not rows_gone:
        return [finding("note", f"{whole} and {part} hold the same rows.")]
    pieces = [f"{gone} of its {found[f'prompts_{whole.lower()}']} prompts"] if gone else []
    pieces += [f"{rows_gone} rows of {'the prompts kept' if gone else 'its prompts'}"] if rows_gone else []
    head = f"{part} is {whole} without {' and '.join(pieces)}."
    moved = [row for row in figures["figures"] if _blind(row) < LEVEL]
    if not moved:
        text = f"{head} No figure moves by more than it would had as many been removed at random."
        return [finding("note", text), _removed_facts(figures)]
    moved.sort(key=_blind)
    told = "; ".join(
        f"{TITLES[row['name']]} from {row['all']['value']:.3g} to {row['after']['value']:.3g}"
        for row in moved[:_MOST_TOLD]
    )
    text = (
        f"{head} By that alone {len(moved)} of {len(figures['figures'])} figures move further than had as many been "
        f"removed at random (Holm): {told}."
    )
    return [finding("warning", text), _removed_facts(figures), *_or_nothing(told_drivers(figures))]


def _blind(row: dict[str, Any]) -> float:
    """The smaller p-value of the two removals."""
    return min((row[key] for key in ("p_prompts", "p_rows") if row[key] is not None), default=1.0)


def _removed_facts(figures: Figures) -> dict[str, Any]:
    tied, mean = _row(figures, "tied"), _row(figures, "mean")
    text = (
        f"In groups of {figures['common_size']} the best is tied with probability {tied['all']['value']:.3g} in "
        f"{figures['whole']} and {tied['after']['value']:.3g} in {figures['part']}; the mean reward is "
        f"{mean['all']['value']:.3g} and {mean['after']['value']:.3g}. No policy has changed: set these aside before "
        "judging what training on the part does."
    )
    return finding("note", text, statement="Prop 2.9")


def _or_nothing(item: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [] if item is None else [item]


def told_drivers(figures: Figures) -> dict[str, Any] | None:
    """How many prompts carry half of the change of the figure that moves most clearly."""
    found = figures["drivers"]
    if found["figure"] is None:
        return None
    return finding(
        "note",
        f"“{SHORT[found['figure']]}” moves most clearly; {found['carry_half']} of the {found['contributing']} prompts "
        "that move it this way carry half of that.",
    )


def _row(figures: Figures, name: str) -> Any:
    return next((row for row in figures["figures"] if row["name"] == name), None)
