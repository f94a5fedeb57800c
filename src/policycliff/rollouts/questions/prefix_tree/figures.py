"""The figures of the answer, one value a prompt, before their intervals."""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.radius import quantiles, radii, set_radii
from policycliff.rollouts.intervals import Mean, mean_over, share
from policycliff.rollouts.questions.prefix_tree.losses import trace_losses
from policycliff.rollouts.questions.prefix_tree.quotient import Quotient
from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree
from policycliff.rollouts.segments import segment_max, segment_min, segment_sum
from policycliff.shapes import Bool, Float64, Int64

DEPTHS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of a text at which the curve is told; most texts part early."""


def tree_figures(tree: PrefixTree, truth: Float64[np.ndarray, " table_rows"] | None = None) -> dict[str, Any]:
    """Where best traces part from each other and from the rest, over all prompts."""
    scored, layout, nodes = tree.scored, tree.scored.layout, tree.nodes
    n, tied = layout.n_prompts, scored.is_tied
    parting = tree.on_best & (nodes.best_actions > 1)
    deciding = tree.on_best & np.isfinite(nodes.worse)
    depth = first_depth(tree)[tied]
    relative = depth / mean_best_length(tree)[tied]
    both_seen = _seen_again(tree, parting)
    return {
        "prompts": n,
        "completions": len(layout.rows),
        "traces": len(layout.draws),
        "prefixes": int((tree.rows.lengths - np.maximum(tree.rows.shared, 0)).sum()) + n,
        "length_mean": float(tree.rows.row_lengths.mean()),
        "several_share": share(tied),
        "all_tied_share": share(tied & ~_has(deciding, tree)),
        "unique_share": share(scored.is_unique),
        "one_trace_share": share(layout.n_behaviours == 1),
        "optimal_traces": _mean(tree, scored.tied_size, lowest=1.0),
        "partings": _mean(tree, _count(parting, tree), lowest=0.0),
        "decisions": _mean(tree, _count(deciding, tree), lowest=0.0),
        "first_parting_depth": mean_over(layout.prompts[tied], depth, lowest=0.0),
        "first_parting_relative": mean_over(layout.prompts[tied], relative, lowest=0.0, highest=1.0),
        "parted_at_start_share": share(depth == 0),
        "parted_by_ending_share": share(_ends_at_first(tree)[tied]),
        "first_parting_seen_again_share": share(both_seen[tied]),
        "commonest_way_share": mean_over(layout.prompts[tied], _commonest_way(tree)[tied], lowest=0.0, highest=1.0),
        "radius": _radius_figures(tree),
        "truth_differs_share": None if truth is None else share(truth_differs(tree, truth)[tied]),
        "curve": curve(tree),
    }


def first_depth(tree: PrefixTree) -> Float64[np.ndarray, " prompts"]:
    """Pieces that all best traces of a prompt share; NaN where one is best."""
    depth = np.full(tree.scored.layout.n_prompts, np.inf)
    parting = tree.on_best & (tree.nodes.best_actions > 1)
    np.minimum.at(depth, tree.nodes.prompt[parting], tree.nodes.depth[parting].astype(np.float64))
    return np.where(tree.scored.is_tied, depth, np.nan)


def mean_best_length(tree: PrefixTree) -> Float64[np.ndarray, " prompts"]:
    """Mean number of pieces of a prompt's best traces."""
    offsets = tree.scored.layout.behaviour_offsets
    return segment_sum(np.where(tree.scored.best, tree.rows.lengths, 0), offsets) / tree.scored.tied_size


def left_relative(tree: PrefixTree) -> Float64[np.ndarray, " traces"]:
    """Share of a trace behind which it has left every best trace; NaN for best ones."""
    lengths = np.maximum(tree.rows.lengths, 1)
    return np.where(tree.scored.best, np.nan, tree.left_at / lengths)


def truth_differs(tree: PrefixTree, truth: Float64[np.ndarray, " table_rows"]) -> Bool[np.ndarray, " prompts"]:
    """Whether two best completions of a prompt differ in the truth; those without one say nothing."""
    layout = tree.scored.layout
    known = truth[layout.rows]
    counts = np.repeat(tree.scored.best, layout.draws) & ~np.isnan(known)
    most = segment_max(np.where(counts, known, -np.inf), layout.row_offsets)
    least = segment_min(np.where(counts, known, np.inf), layout.row_offsets)
    return most > least


def curve(tree: PrefixTree) -> list[dict[str, Any]]:
    """By relative depth: prompts whose best traces have parted, and the reward that is lost by then."""
    scored, layout = tree.scored, tree.scored.layout
    tied = scored.is_tied
    parted = (first_depth(tree) / np.maximum(mean_best_length(tree), 1e-300))[tied]
    loss = trace_losses(tree)
    total = segment_sum(loss, layout.behaviour_offsets)
    loses, left = total > 0, left_relative(tree)
    points = []
    for depth in DEPTHS:
        gone = segment_sum(np.where(left <= depth, loss, 0.0), layout.behaviour_offsets)
        lost = np.minimum(gone[loses] / total[loses], 1.0)
        points.append(
            {
                "depth": depth,
                "parted": share(parted <= depth),
                "lost": mean_over(layout.prompts[loses], lost, lowest=0.0, highest=1.0),
            }
        )
    return points


def quotient_figures(tree: PrefixTree, quotient: Quotient) -> dict[str, Any]:
    """What merging makes of the ties, the partings and the radius."""
    scored, layout = quotient.scored, quotient.scored.layout
    acyclic = ~quotient.cyclic
    ways = np.exp(np.minimum(quotient.log_traces, 700.0))
    radius = radii(scored)
    return {
        "states": len(quotient.prompt),
        "ends": len(layout.draws),
        "shared_ends": quotient.several,
        "disputed_ends": int(quotient.disputed.sum()),
        "steps": quotient.steps,
        "ambiguous_steps": quotient.ambiguous,
        "cyclic_prompts": int(quotient.cyclic.sum()),
        "several_share": share(scored.is_tied),
        "only_within_one_state_share": share((tree.scored.is_tied & ~scored.is_tied)[tree.scored.is_tied]),
        "optimal_ends": _mean(tree, scored.tied_size, lowest=1.0),
        "optimal_ways_median": float(np.median(ways[acyclic])) if acyclic.any() else None,
        "log_optimal_ways_max": float(quotient.log_traces[acyclic].max()) if acyclic.any() else None,
        "partings": _of_states(tree, quotient, quotient.parting),
        "decisions": _of_states(tree, quotient, quotient.deciding),
        "radius_unique_quantiles": quantiles(radius[scored.is_unique]),
        "set_radius_quantiles": quantiles(_known(set_radii(scored))),
        "winning_margin_min": float(scored.gap[scored.is_unique].min()) if scored.is_unique.any() else None,
    }


def step_figures(radius: Float64[np.ndarray, " prompts"], tree: PrefixTree, disputed: int) -> dict[str, Any]:
    """The radius when every step's reward may move."""
    return {
        "disputed_steps": disputed,
        "radius_unique_quantiles": quantiles(radius[tree.scored.is_unique]),
        "radius_min": float(_known(radius).min()) if len(_known(radius)) else None,
    }


def _radius_figures(tree: PrefixTree) -> dict[str, Any]:
    scored = tree.scored
    unique = scored.is_unique
    return {
        "unique_quantiles": quantiles(radii(scored)[unique]),
        "unique_min": float(0.5 * scored.gap[unique].min()) if unique.any() else None,
        "set_quantiles": quantiles(_known(set_radii(scored))),
    }


def _seen_again(tree: PrefixTree, parting: Bool[np.ndarray, " branchings"]) -> Bool[np.ndarray, " prompts"]:
    """Whether at the first parting more completions pass than there are actions: some action was seen twice."""
    nodes = tree.nodes
    first = parting & (nodes.depth == first_depth(tree)[nodes.prompt])
    seen = np.zeros(tree.scored.layout.n_prompts, dtype=bool)
    seen[nodes.prompt[first]] = (tree.draws_below() > nodes.actions)[first]
    return seen


def _commonest_way(tree: PrefixTree) -> Float64[np.ndarray, " prompts"]:
    """Of the best completions, the share that takes the commonest way on from where their texts part first."""
    scored, layout = tree.scored, tree.scored.layout
    where, best_draws = layout.prompt_of_behaviour, np.where(scored.best, layout.draws, 0)
    starts = np.flatnonzero(tree.rows.shared <= np.nan_to_num(first_depth(tree))[where])
    ways = np.add.reduceat(best_draws, starts)
    largest = np.zeros(layout.n_prompts, dtype=np.int64)
    np.maximum.at(largest, where[starts], ways)
    return largest / np.add.reduceat(best_draws, layout.behaviour_offsets[:-1])


def _ends_at_first(tree: PrefixTree) -> Bool[np.ndarray, " prompts"]:
    """Whether one best trace ends where the best traces of the prompt part first."""
    scored, where = tree.scored, tree.scored.layout.prompt_of_behaviour
    at_first = scored.best & (tree.rows.lengths == first_depth(tree)[where])
    return np.logical_or.reduceat(at_first, scored.layout.behaviour_offsets[:-1])


def _count(flags: Bool[np.ndarray, " branchings"], tree: PrefixTree) -> Int64[np.ndarray, " prompts"]:
    return np.bincount(tree.nodes.prompt[flags], minlength=tree.scored.layout.n_prompts)


def _has(flags: Bool[np.ndarray, " branchings"], tree: PrefixTree) -> Bool[np.ndarray, " prompts"]:
    return _count(flags, tree) > 0


def _mean(tree: PrefixTree, values: np.ndarray, *, lowest: float) -> Mean:
    return mean_over(tree.scored.layout.prompts, values.astype(np.float64), lowest=lowest)


def _of_states(tree: PrefixTree, quotient: Quotient, flags: Bool[np.ndarray, " states"]) -> Mean:
    """Mean over the prompts without a cycle."""
    kept = ~quotient.cyclic
    counts = np.bincount(quotient.prompt[flags], minlength=len(kept))[kept]
    return mean_over(tree.scored.layout.prompts[kept], counts.astype(np.float64), lowest=0.0)


def _known(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " known"]:
    return values[~np.isnan(values)]
