"""Single-link clusters at every threshold at once, by a walk along the greatest similarities (Prim 1957).

The walk of a prompt goes on to the text that is most like any text already visited. Whatever the threshold, it leaves
no cluster before all of it is visited: every cluster is a stretch of the walk, and a new one begins where a text was
reached at less than the threshold. Memory is linear in the texts; time is quadratic within a prompt only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.questions.behaviours.likeness import APART, Batch, Likeness, RowsOf, batches
from policycliff.rollouts.segments import segment_of
from policycliff.shapes import Bool, Float64, Int64

ROUNDING = 1e-6
"""A similarity that misses the threshold by this little reaches it: embeddings are rounded to single precision."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The texts of every prompt in the order of its walk.

    Attributes:
        offsets: (prompts + 1,) first text of each prompt.
        order: (texts,) numbers of the texts, prompt by prompt.
        reached_at: (texts,) similarity at which the walk reached each; -inf for the first of a prompt.
        reached_from: (texts,) the visited text that it is most like; its own number for the first of a prompt.
    """

    offsets: Int64[np.ndarray, " prompts_plus_1"]
    order: Int64[np.ndarray, " texts"]
    reached_at: Float64[np.ndarray, " texts"]
    reached_from: Int64[np.ndarray, " texts"]

    def starts(self, threshold: float) -> Bool[np.ndarray, " texts"]:
        """Where along the walk a new behaviour begins at this threshold."""
        return self.reached_at < threshold - ROUNDING


def walk(
    offsets: Int64[np.ndarray, " prompts_plus_1"],
    likeness: Likeness,
    *,
    depth: int = 1,
    report: Callable[[float], None] = lambda _share: None,
) -> Walk:
    """Walk through every prompt's texts.

    Args:
        offsets: First text of each prompt.
        likeness: How like the texts are.
        depth: Numbers that describe one text.
        report: Called with the share of the work that is done.
    """
    n_texts, work = int(offsets[-1]), float((np.diff(offsets) ** 2).sum())
    order, source = np.empty(n_texts, dtype=np.int64), np.empty(n_texts, dtype=np.int64)
    reached, done = np.empty(n_texts), 0.0
    for batch in batches(offsets, depth=depth):
        visited, similarity, before = _walk_batch(batch, likeness(batch))
        # Padding is visited last, so the first steps of each prompt are its own texts, which keep its places.
        places = batch.members[batch.real]
        order[places], reached[places] = visited[batch.real], similarity[batch.real]
        source[places] = before[batch.real]
        done += float((batch.real.sum(axis=1) ** 2).sum())
        report(done / work)
    return Walk(offsets, order, reached, source)


def _walk_batch(batch: Batch, rows: RowsOf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts, similarities and predecessors in the order of the walk, (prompts, width) each."""
    count, width = batch.members.shape
    every = np.arange(count)
    visited = np.zeros((count, width), dtype=np.int64)
    similarity = np.full((count, width), -np.inf)
    before = np.zeros((count, width), dtype=np.int64)
    is_open = np.ones((count, width), dtype=bool)
    is_open[:, 0] = False
    nearest, best = np.zeros((count, width), dtype=np.int64), np.where(batch.real, rows(every * 0), APART)
    for step in range(1, width):
        chosen = np.where(is_open, best, -np.inf).argmax(axis=1)
        visited[:, step], similarity[:, step] = chosen, best[every, chosen]
        before[:, step] = nearest[every, chosen]
        is_open[every, chosen] = False
        found = np.where(batch.real, rows(chosen), APART)
        closer = found > best
        best = np.where(closer, found, best)
        nearest = np.where(closer, chosen[:, None], nearest)
    rows_of = every[:, None]
    return batch.members[rows_of, visited], similarity, batch.members[rows_of, before]


def weakest_within(
    found: Walk, starts: Bool[np.ndarray, " texts"], likeness: Likeness, *, depth: int = 1
) -> Float64[np.ndarray, " prompts"]:
    """The least similarity of two texts of one behaviour, by prompt; inf where no behaviour has two texts.

    Where it reaches the threshold, every pair within a behaviour does and no pair across two does: then single,
    complete and average linkage all give these behaviours.
    """
    cluster = np.empty(len(starts), dtype=np.int64)
    cluster[found.order] = np.cumsum(starts)
    prompt_of = segment_of(found.offsets)
    weakest = np.full(len(found.offsets) - 1, np.inf)
    for batch in batches(found.offsets, depth=depth):
        rows, own = likeness(batch), np.where(batch.real, cluster[batch.members], -1)
        least = np.full(len(own), np.inf)
        for step in range(own.shape[1]):
            chosen = np.full(len(own), step)
            alike = (own == own[:, step, None]) & batch.real & batch.real[:, step, None]
            alike[:, step] = False
            least = np.minimum(least, np.where(alike, rows(chosen), np.inf).min(axis=1))
        weakest[prompt_of[batch.members[:, 0]]] = least
    return weakest
