"""How far the members agree: ranks within prompts, and best sets."""

from itertools import combinations
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.questions.reward_model_error.ensemble import Ensemble
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_any, segment_correlation, segment_sum
from policycliff.shapes import Bool, Float64


def disjoint(first: Scored, second: Scored) -> Bool[np.ndarray, " prompts"]:
    """Prompts in which no behaviour is best under both: one's pick is never the other's, however ties are broken."""
    return ~segment_any(first.best & second.best, first.layout.behaviour_offsets)


def missed(first: Scored, second: Scored) -> Float64[np.ndarray, " prompts"]:
    """Chance that the first's pick, its ties drawn at random, is no best behaviour of the second."""
    outside = segment_sum(first.best & ~second.best, first.layout.behaviour_offsets)
    return outside / first.tied_size


def left_out_disagreement(ensemble: Ensemble) -> Float64[np.ndarray, "members prompts"]:
    """Chance that each member's pick, ties drawn at random, is no best behaviour of the mean of all others.

    For exchangeable members the mean of these is an unbiased estimate of how often one member more would pick another
    best than the mean of all but one of these does.
    """
    return np.stack([missed(member, others) for member, others in zip(ensemble.members, ensemble.others, strict=True)])


def left_out_disjoint(ensemble: Ensemble) -> Bool[np.ndarray, "members prompts"]:
    """Whether each member shares no best behaviour with the mean of all others: then no tie-breaker reconciles them."""
    return np.stack(
        [disjoint(member, others) for member, others in zip(ensemble.members, ensemble.others, strict=True)]
    )


def unanimous(ensemble: Ensemble) -> Bool[np.ndarray, " prompts"]:
    """Prompts in which some behaviour is best under every member."""
    every = np.logical_and.reduce([member.best for member in ensemble.members])
    return segment_any(every, ensemble.layout.behaviour_offsets)


def kendall_tau_b(
    scores: Float64[np.ndarray, "members rows"], layout: Layout
) -> dict[tuple[int, int], Float64[np.ndarray, " prompts"]]:
    """Kendall's tau-b of each two members over the completions of each prompt; NaN where a member is constant.

    Rows are compared with those 1, 2, ... places on in their prompt: quadratic in the group size and linear in memory.
    """
    count, prompts = len(scores), layout.n_prompts
    products = np.zeros((count, count, prompts))
    ends = layout.row_offsets[1:][layout.prompt_of_row]
    rows = np.arange(len(layout.rows))
    for lag in range(1, int(layout.group_sizes.max(initial=1))):
        rows = rows[rows + lag < ends[rows]]
        signs = np.sign(scores[:, rows + lag] - scores[:, rows])
        where = layout.prompt_of_row[rows]
        for i in range(count):
            for j in range(i, count):
                products[i, j] += np.bincount(where, weights=signs[i] * signs[j], minlength=prompts)
    # The product of a member with itself counts the pairs that it does not tie.
    return {(i, j): _ratio(products[i, j], products[i, i] * products[j, j]) for i, j in combinations(range(count), 2)}


def _ratio(
    concordance: Float64[np.ndarray, " prompts"], untied: Float64[np.ndarray, " prompts"]
) -> Float64[np.ndarray, " prompts"]:
    return np.divide(concordance, np.sqrt(untied), out=np.full(len(untied), np.nan), where=untied > 0)


def pair_figures(ensemble: Ensemble) -> list[dict[str, Any]]:
    """Agreement of each two members."""
    layout, members = ensemble.layout, ensemble.members
    # Of the scores as given: standardising changes no rank but may make a tie out of rounding.
    tau = kendall_tau_b(np.stack([member.scores for member in members]), layout)
    rows = []
    for (i, j), taus in tau.items():
        spearman = segment_correlation(members[i].ranks, members[j].ranks, layout.row_offsets)
        differ = segment_any(members[i].best != members[j].best, layout.behaviour_offsets)
        rows.append(
            {
                "first": ensemble.names[i],
                "second": ensemble.names[j],
                "kendall": mean_over(layout.prompts, taus, lowest=-1.0, highest=1.0),
                "spearman": mean_over(layout.prompts, spearman, lowest=-1.0, highest=1.0),
                "correlated_prompts": int(np.isfinite(taus).sum()),
                "best_differs_share": share(differ),
                "best_disjoint_share": share(disjoint(members[i], members[j])),
            }
        )
    return rows


def member_figures(ensemble: Ensemble) -> list[dict[str, Any]]:
    """Each member beside the mean of the others."""
    layout = ensemble.layout
    apart, disagrees = left_out_disjoint(ensemble), left_out_disagreement(ensemble)
    rows = []
    for i, (member, others) in enumerate(zip(ensemble.members, ensemble.others, strict=True)):
        correlation = segment_correlation(member.ranks, others.ranks, layout.row_offsets)
        rows.append(
            {
                "member": ensemble.names[i],
                "scale": float(ensemble.scales[i]),
                "tied_share": share(member.is_tied),
                "spearman_with_others": mean_over(layout.prompts, correlation, lowest=-1.0, highest=1.0),
                "picks_other_share": mean_over(layout.prompts, disagrees[i], lowest=0.0, highest=1.0),
                "disjoint_from_others_share": share(apart[i]),
                "disjoint_from_mean_share": share(disjoint(member, ensemble.mean)),
            }
        )
    return rows
