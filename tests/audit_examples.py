"""Audits that between them use every feature: what the reference of the JSON result is held against."""

import functools
from typing import Any

import polars as pl

from policycliff.rollouts.audit import audit

WORDS = ("alpha", "beta", "gamma", "delta")


def rollouts(prompts: int = 30, samples: int = 12) -> pl.DataFrame:
    """Rollouts with ties, repeats, gaps, second scores, sources and steps, the same at every call."""
    rows: list[dict[str, Any]] = []
    for prompt in range(prompts):
        for draw in range(samples):
            kind = (prompt * 7 + draw * draw) % 4
            rows.append(
                {
                    "prompt_id": f"p{prompt:02d}",
                    "prompt": f"Question {prompt}?",
                    "completion": f"answer {WORDS[kind]}" if draw < 6 else f"answer {WORDS[kind]} {draw}",
                    "answer": WORDS[kind],
                    "model": f"model-{draw % 2}",
                    "step": prompt % 2,
                    "passes": float(kind > 1) if prompt % 5 else 0.0,
                    "style": None if (prompt, draw) == (3, 1) else 0.1 * ((prompt + 3 * draw) % 5),
                    "style_again": 0.1 * ((prompt + 3 * draw + draw % 2) % 5),
                    "rare": 1.0 if (prompt + draw) % samples == 0 else None,
                    "correct": float(kind == 3),
                    "unknown": None if draw else 0.5,
                    "n_chars": float(10 + (prompt * draw) % 13),
                }
            )
    return pl.DataFrame(rows)


@functools.cache
def every_result() -> dict[str, dict[str, Any]]:
    """Results by what is special about them; all who ask share them, and change copies only."""
    frame = rollouts()
    roles = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": "model"}
    both = {"passes": 1.0, "style": 0.2}
    asked = {
        "two rewards, truth, second scores": {
            "rewards": both,
            "truth": "correct",
            "rerun": {"style": "style_again"},
            "max_reward": {"passes": 1.0},
        },
        "behaviours, steps, given noise": {
            "rewards": both,
            "behaviour": "answer",
            "step": "step",
            "noise": {"style": 0.05},
            "derive": {"brevity": "-n_chars"},
            "sample": 20,
            "missing": "zero",
        },
        "a reward and a truth without pairs of scores": {"rewards": {"passes": 1.0, "rare": 0.0}, "truth": "unknown"},
        "normalised first, no noise asked": {"rewards": both, "aggregation": "normalize_then_sum", "noise": None},
        "one reward, many ties": {"rewards": ["passes"], "truth": "correct"},
        "constant": {"rewards": ["constant"]},
    }
    constant = frame.with_columns(pl.lit(1.0).alias("constant"))
    found = {name: audit(constant, **roles, **options) for name, options in asked.items()}
    bare = frame.select("prompt_id", "passes", pl.col("n_chars").alias("length_reward"))
    found["no texts, a penalty"] = audit(bare, group="prompt_id", rewards={"passes": 1.0, "length_reward": -0.01})
    few = rollouts(samples=4).select("prompt_id", "passes", "style", "n_chars")
    found["few samples, no truth"] = audit(few, group="prompt_id", rewards={"passes": 1.0, "style": 0.0})
    return {name: done.to_dict() for name, done in found.items()}
