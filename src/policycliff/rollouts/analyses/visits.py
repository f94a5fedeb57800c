"""Whether a prompt that comes back at a later training step has other best behaviours than before.

The visits of one prompt may lie in different parts of the table, so texts are compared by two 64-bit hashes: of ten
million visits, two that differ would be taken for the same with a probability under 1e-23.
"""

from functools import partial
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.figures import RewardAudit
from policycliff.rollouts.intervals import Share
from policycliff.rollouts.leaves import Figure, frames
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64, Shaped

_SEEDS = (1, 2)
_KEY, _BEST = ("key_1", "key_2"), ("best_1", "best_2")


def visits(
    table: RolloutTable,
    main: RewardAudit,
    step: Int64[np.ndarray, " groups"],
    numbers: Int64[np.ndarray, " groups"],
    run_of_step: Int64[np.ndarray, " steps"],
) -> Figure | None:
    """Share, by run of steps, of the prompts seen before whose best behaviours changed; None without their texts.

    Args:
        table: The rows of a part.
        main: The effective reward's audit.
        step: Number of each group's step.
        numbers: Number of each group in the whole table.
        run_of_step: Which row of the result a step belongs to.
    """
    names = [name for name in ("__behaviour", "__completion") if name in table.frame.columns]
    if not names:
        return None
    layout = main.scored.layout
    best = np.flatnonzero(main.scored.best)
    starts = np.flatnonzero(np.diff(layout.prompt_of_behaviour[best], prepend=-1))
    texts = table.frame[names[0]].gather(layout.rows[layout.draw_offsets[best]])
    key = "__prompt" if "__prompt" in table.frame.columns else "__prompt_id"
    prompts = table.frame[key].gather(layout.rows[layout.row_offsets[:-1]])
    found = pl.DataFrame(
        {
            **dict(zip(_KEY, _hashes(prompts), strict=True)),
            # A set is the sum of its members, whatever their order.
            **{name: np.add.reduceat(hashed, starts) for name, hashed in zip(_BEST, _hashes(texts), strict=True)},
            "step": step[layout.prompts],
            "prompt": numbers[layout.prompts],
        }
    )
    return frames(found, partial(_changes, run_of_step=run_of_step))


def _hashes(texts: pl.Series) -> list[Shaped[np.ndarray, " n"]]:
    return [texts.hash(seed).to_numpy() for seed in _SEEDS]


def _changes(found: pl.DataFrame, run_of_step: Int64[np.ndarray, " steps"]) -> list[dict[str, Any]]:
    """The share of each run of steps."""
    ordered = found.sort(*_KEY, "step", "prompt")
    other = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in _BEST)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _KEY)
    seen = ordered.select("step", again=again.fill_null(value=False), other=other)
    run = run_of_step[seen["step"].to_numpy()]
    again_flags = seen["again"].to_numpy()
    changed_flags = again_flags & seen["other"].fill_null(value=False).to_numpy()
    runs = int(run_of_step[-1]) + 1
    totals = np.bincount(run[again_flags], minlength=runs).tolist()
    changed = np.bincount(run[changed_flags], minlength=runs).tolist()
    return [Share(count, total).finished() for count, total in zip(changed, totals, strict=True)]
