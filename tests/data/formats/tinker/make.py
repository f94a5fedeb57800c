"""Rollout summaries that tinker-cookbook 0.6.1 writes, by its own functions; nothing is sampled.

    python make.py  # with tinker-cookbook==0.6.1 and torch

A run of two iterations with a training and an evaluation file each, through `serialize_rollout_summaries` and
`TrainingRunStore.write_rollouts`. `expected.json` is what went in.
"""

import json
import random
import shutil
from pathlib import Path

import tinker
from tinker_cookbook.completers import TokensWithLogprobs
from tinker_cookbook.rl.rollout_logging import serialize_rollout_summaries
from tinker_cookbook.rl.types import Trajectory, TrajectoryGroup, Transition
from tinker_cookbook.stores.storage import LocalStorage
from tinker_cookbook.stores.training_store import TrainingRunStore

HERE = Path(__file__).parent


def _trajectory(rng: random.Random, n_steps: int) -> tuple[Trajectory, dict]:
    transitions, correct = [], 0.0
    for index in range(n_steps):
        is_last = index == n_steps - 1
        has_format = float(rng.random() < 0.6)
        metrics: dict[str, float] = {"format": has_format}
        if is_last:
            correct = float(rng.random() < 0.5)
            metrics["correct"] = correct
        transitions.append(
            Transition(
                ob=tinker.ModelInput.from_ints(list(range(5 + index))),
                ac=TokensWithLogprobs(tokens=[1] * rng.randint(1, 9), maybe_logprobs=None),
                reward=0.5 * (has_format - 1.0) + (metrics["correct"] if is_last else 0.0),
                episode_done=is_last,
                metrics=metrics,
                logs={"answer": rng.choice(["7", "8"]), "turn": index},
            )
        )
    trajectory = Trajectory(transitions=transitions, final_ob=tinker.ModelInput.from_ints([1, 2]))
    return trajectory, {
        "correct": correct,
        "formats": [item.metrics["format"] for item in transitions],
        "rewards": [item.reward for item in transitions],
        "ac_len": sum(len(item.ac.tokens) for item in transitions),
        "answer": transitions[-1].logs["answer"],
    }


def _group(rng: random.Random) -> tuple[TrajectoryGroup, list[dict]]:
    made = [_trajectory(rng, rng.randint(1, 3)) for _ in range(4)]
    finals = [rng.choice([0.0, 0.25]) for _ in made]
    group = TrajectoryGroup(
        trajectories_G=[trajectory for trajectory, _ in made],
        final_rewards_G=finals,
        metrics_G=[{"won": int(final > 0)} for final in finals],
    )
    return group, [truth | {"final": final} for (_, truth), final in zip(made, finals, strict=True)]


def main() -> None:
    """Write the files."""
    rng = random.Random(11)
    shutil.rmtree(HERE / "run", ignore_errors=True)
    store = TrainingRunStore(LocalStorage(HERE), "run")
    expected = []
    for iteration in (0, 1):
        for base_name, split, n_groups in (("train", "train", 3), ("eval_math", "eval/math", 2)):
            groups = [_group(rng) for _ in range(n_groups)]
            records = serialize_rollout_summaries(
                split=split,
                iteration=iteration,
                trajectory_groups_P=[group for group, _ in groups],
                taglist_P=[["arithmetic"] for _ in groups],
                sampling_client_steps_P=[iteration] * n_groups,
            )
            store.write_rollouts(iteration, records, base_name=base_name)
            expected += [
                row | {"iteration": iteration, "split": split, "group": number}
                for number, (_, truth) in enumerate(groups)
                for row in truth
            ]
    (HERE / "expected.json").write_text(json.dumps(expected, indent=0))


if __name__ == "__main__":
    main()
