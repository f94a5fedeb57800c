"""Tables of the comparison of two tables."""

from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = dict[str, Any]

TITLES = {
    "tied": "tied best",
    "zero_spread": "no spread",
    "mean": "mean reward",
    "best": "best reward of the group",
    "lead": "lead of the best over the mean",
    "behaviours": "different behaviours",
    "radius": "radius (half the winning margin)",
    "spread": "standard deviation of the reward",
    "truth": "mean truth",
    "truth_of_best": "truth of the reward's choice",
}

SHORT = {
    "tied": "tied",
    "mean": "mean reward",
    "best": "best reward",
    "lead": "lead of the best",
    "radius": "radius",
    "spread": "standard deviation",
    "zero_spread": "share without spread",
    "behaviours": "number of behaviours",
    "truth": "mean truth",
    "truth_of_best": "truth of the choice",
}


def table_tables(figures: Figures) -> list[dict[str, Any]]:
    """All tables, the figures first."""
    main = _removal(figures) if figures["relation"] == "removal" else _samples(figures)
    return [main, *filter(None, [_drivers(figures), _growth(figures)]), _matching(figures)]


def _samples(figures: Figures) -> dict[str, Any]:
    paired = figures["matching"]["by"] != "nothing"
    how = "the same prompts, paired" if paired else "other prompts, not paired"
    rows = [row | {"title": TITLES[row["name"]]} for row in figures["figures"]]
    sampled = any(row["monte_carlo_error"] for row in rows)
    return answer_table(
        "figures",
        f"Figures in groups of {figures['common_size']}",
        [
            column("title", "figure", "name"),
            column("a", "A", "mean"),
            column("b", "B", "mean"),
            column("change", "B less A", "mean"),
            column("p", "p", "number"),
            column("p_holm", "p, Holm", "number"),
            *([column("monte_carlo_error", "Monte-Carlo error", "number")] if sampled else []),
        ],
        rows,
        meaning=f"Means over {how}; p by permutation."
        + (" A Monte-Carlo error of 0 is a figure in closed form." if sampled else ""),
    )


def _removal(figures: Figures) -> dict[str, Any]:
    whole, part = figures["whole"], figures["part"]
    shown = [column("title", "figure", "name"), column("all", whole, "number")]
    if figures["matching"][f"unmatched_{whole.lower()}"]:
        shown += [
            column("removed", f"{whole}, prompts removed", "number"),
            column("kept", f"{whole}, prompts kept", "number"),
            column("by_prompts", "change by prompts", "number"),
            column("p_prompts", "p, Holm", "number"),
        ]
    if figures["matching"]["rows_removed_from_kept"]:
        shown += [column("by_rows", "change by rows", "mean"), column("p_rows", "p, Holm", "number")]
    sides = ("all", "kept", "removed", "after")
    rows = [
        row | {"title": TITLES[row["name"]]} | {side: row[side]["value"] for side in sides}
        for row in figures["figures"]
    ]
    return answer_table(
        "figures",
        f"Figures in groups of {figures['common_size']}",
        [*shown, column("after", part, "number")],
        rows,
        meaning="Means over prompts. The rows that stay are the same, so the changes are facts; p asks if removing "
        "as many at random does as much.",
    )


def _drivers(figures: Figures) -> dict[str, Any] | None:
    found = figures["drivers"]
    if not found["prompts"]:
        return None
    keys = [key.removesuffix("_whole") for key in found["prompts"][0] if key.endswith("_whole")]
    shown = [column("prompt", "prompt", "name")]
    shown += [
        column(f"{key}_{side}", f"{SHORT[key]}, {figures[side]}", "number")
        for key in keys
        for side in ("whole", "part")
        if any(row[f"{key}_{side}"] is not None for row in found["prompts"])
    ]
    if any(row["prompt_text"] is not None for row in found["prompts"]):
        shown.append(column("prompt_text", "its text", "text"))
    removed = found["prompts"][0][f"{keys[0]}_part"] is None
    return answer_table(
        "drivers",
        f"{'Removed prompts' if removed else 'Prompts'} that move “{SHORT[found['figure']]}” most",
        shown,
        found["prompts"],
        meaning="In the direction in which the mean moves, the greatest contribution first.",
    )


def _growth(figures: Figures) -> dict[str, Any] | None:
    whole, part = figures["whole"], figures["part"]
    if len(figures["growth"]) < 2:
        return None
    return answer_table(
        "group-sizes",
        "At other group sizes",
        [
            column("k", "group size", "count"),
            column("tied_whole", f"tied, {whole}", "share"),
            column("tied_part", f"tied, {part}", "share"),
            column("best_whole", f"best reward, {whole}", "mean"),
            column("best_part", f"best reward, {part}", "mean"),
        ],
        figures["growth"],
        meaning="Expected over all subsets of the completions, in closed form; a behaviour's reward is its mean.",
        plot=line_plot("k", ["tied_whole", "tied_part"], x_title="group size", y_title="prompts with a tied best"),
    )


def _matching(figures: Figures) -> dict[str, Any]:
    found = figures["matching"]
    rows = [{"name": f"prompts matched by {found['by']}", "a": found["matched"], "b": found["matched"]}]
    told = {
        "prompts": "prompts",
        "rows": "completions",
        "unmatched": "prompts without a match",
        "too_small": f"prompts with fewer than {figures['common_size']} scored completions",
    }
    rows += [{"name": text, "a": found[f"{key}_a"], "b": found[f"{key}_b"]} for key, text in told.items()]
    return answer_table(
        "matching",
        "What was compared",
        [column("name", "what", "name"), column("a", "A", "count"), column("b", "B", "count")],
        rows,
        meaning="Prompts without a match, and prompts with too few completions, are in no difference above.",
    )
