"""Which prefixes of the best traces the lost reward is lost at.

Every completion that is not best leaves the best traces of its prompt behind one prefix, the longest that it shares
with one of them. What is lost there adds up to the best reward minus the mean: an exact decomposition by place.
"""

import numpy as np

from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree
from policycliff.shapes import Float64, Int64


def trace_losses(tree: PrefixTree) -> Float64[np.ndarray, " traces"]:
    """Best reward of the prompt minus the trace's, times its draws."""
    scored, layout = tree.scored, tree.scored.layout
    return np.where(scored.best, 0.0, (scored.best_value[layout.prompt_of_behaviour] - scored.values) * layout.draws)


def lost_at(tree: PrefixTree) -> Float64[np.ndarray, " branchings"]:
    """What completions that leave the best traces at each prefix take off the prompt's mean reward."""
    losses, layout = trace_losses(tree), tree.scored.layout
    worse = np.flatnonzero(~tree.scored.best)
    lost = np.bincount(_left_node(tree, worse), weights=losses[worse], minlength=len(tree.nodes.depth))
    return lost / layout.group_sizes[tree.nodes.prompt]


def _left_node(tree: PrefixTree, leaves: Int64[np.ndarray, " leaves"]) -> Int64[np.ndarray, " leaves"]:
    """The branching at which each of these traces leaves the best ones."""
    n_traces = len(tree.rows.lengths)
    on_best = np.flatnonzero(tree.on_best)
    # Branchings of one depth are disjoint ranges of traces.
    key = tree.nodes.depth[on_best] * n_traces + tree.nodes.first[on_best]
    order = np.argsort(key)
    place = np.searchsorted(key[order], tree.left_at[leaves] * n_traces + leaves, side="right") - 1
    return on_best[order][place]
