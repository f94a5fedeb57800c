"""Figures of the walls: how near the proportions are to another best behaviour, class by class and prompt by prompt."""

from typing import Any

import numpy as np

from policycliff.rollouts.intervals import wilson
from policycliff.rollouts.questions.mixture.curves import changed_curve, class_walls
from policycliff.rollouts.questions.mixture.study import Study
from policycliff.rollouts.questions.mixture.sweep import ProportionWalls
from policycliff.rollouts.scores import Scored

NEAR = 0.05
_MOST_PROMPTS = 200
_LONGEST = 80


def wall_figures(study: Study) -> dict[str, Any]:
    """The nearest walls of each class, its curve, and the prompts that stand nearest to one."""
    summaries, prompts = [], []
    for number, name in enumerate(study.mixing.classes.names):
        found = class_walls(study, number)
        if found is None:
            continue
        scored, walls = found
        summaries.append(_summary(study, number, walls) | {"curve": changed_curve(study, walls, number)})
        prompts += _nearest(study, number, name, scored, walls)
    prompts.sort(key=lambda row: row["distance"])
    first = {row["prompt"]: row for row in reversed(prompts)}  # of each prompt, the class with the nearest wall
    nearest = sorted(first.values(), key=lambda row: row["distance"])
    return {"walls": summaries, "nearest": nearest[:_MOST_PROMPTS]}


def _summary(study: Study, number: int, walls: ProportionWalls) -> dict[str, Any]:
    present = float(study.proportions[number])
    distance, total = walls.distance(present), study.layout.n_prompts
    below, above = walls.below[~np.isnan(walls.below)], walls.above[~np.isnan(walls.above)]
    return {
        "class": study.mixing.classes.names[number],
        "proportion": present,
        "shared_prompts": len(distance),
        "on_wall": _share(walls.on_wall, total),
        "near": _share(distance <= NEAR, total),
        "never": _share(np.isinf(distance), total),
        "below": float(below.max()) if len(below) else None,
        "above": float(above.min()) if len(above) else None,
    }


def _share(flags: np.ndarray, total: int) -> dict[str, Any]:
    count = int(flags.sum())
    low, high = wilson(count, total)
    return {"value": count / total, "low": low, "high": high, "count": count, "total": total}


def _nearest(study: Study, number: int, name: str, scored: Scored, walls: ProportionWalls) -> list[dict[str, Any]]:
    """Prompts nearest to a wall of one class, with what is best now."""
    present = float(study.proportions[number])
    distance = walls.distance(present)
    order = np.argsort(distance, kind="stable")[:_MOST_PROMPTS]
    layout, table = scored.layout, study.mixing.table
    first_best = np.full(layout.n_prompts, len(scored.best))
    np.minimum.at(first_best, layout.prompt_of_behaviour[scored.best], np.flatnonzero(scored.best))
    key = next((item for item in ("__behaviour", "__completion") if item in table.frame.columns), None)
    shown = []
    for prompt in order[np.isfinite(distance[order])].tolist():
        row = int(layout.rows[layout.draw_offsets[first_best[prompt]]])
        shown.append(
            {
                "prompt": str(table.frame["__prompt_id"][row]),
                "class": name,
                "proportion": present,
                "below": _known(walls.below[prompt]),
                "above": _known(walls.above[prompt]),
                "on_wall": bool(walls.on_wall[prompt]),
                "distance": float(distance[prompt]),
                "best_behaviours": int(scored.tied_size[prompt]),
                "best": None if key is None else _short(table.frame[key][row]),
            }
        )
    return shown


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _short(text: str | None) -> str:
    plain = "" if text is None else text
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
