"""Writes these fixtures by the schema of NeMo-RL's source, read in November 2026 (`algorithms/grpo.py`,
`utils/logger.py`, `data/llm_message_utils.py`, `experience/rollouts.py` of NVIDIA-NeMo/RL).

NeMo-RL cannot be installed from the package index (its entry there is an empty 0.0.0) and does not run without a GPU.
So this script does what its code does: prompts are repeated, messages are tokenised one by one, an observation of the
environment follows each answer, texts of a key are put in a list, tokens are joined and padded to the right, and a line
is a slice of the batch of length one. Command: `python make.py`.
"""

import json
from pathlib import Path
from statistics import stdev
from typing import Any

HERE = Path(__file__).parent
Message = tuple[str, str]


def _tokens(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def _batch(samples: list[tuple[list[Message], float]]) -> dict[str, list[Any]]:
    """The columns of a batch; `samples` are messages with roles, and a reward."""
    rows = [[token for _, text in messages for token in _tokens(text)] for messages, _ in samples]
    masks = [[int(role == "answer") for role, text in messages for _ in text] for messages, _ in samples]
    longest = max(map(len, rows))
    advantages = _advantages(samples)
    return {
        "content": [[text for _, text in messages] for messages, _ in samples],
        "rewards": [reward for _, reward in samples],
        "input_lengths": [len(row) for row in rows],
        "token_ids": [row + [0] * (longest - len(row)) for row in rows],
        "token_loss_mask": [mask + [0] * (longest - len(mask)) for mask in masks],
        "sample_loss_mask": [1.0 for _ in rows],
        "advantages": [[advantage] * longest for advantage in advantages],
        "generation_logprobs": [[-0.5 * used for used in mask] + [0.0] * (longest - len(mask)) for mask in masks],
        "prev_logprobs": [[-0.5 * used for used in mask] + [0.0] * (longest - len(mask)) for mask in masks],
    }


def _advantages(samples: list[tuple[list[Message], float]]) -> list[float]:
    """Rewards less the mean of the samples with the same prompt, over their standard deviation."""
    prompts = [tuple(message for message in messages if message[0] == "prompt") for messages, _ in samples]
    found = []
    for prompt, (_, reward) in zip(prompts, samples, strict=True):
        rewards = [other for key, (_, other) in zip(prompts, samples, strict=True) if key == prompt]
        found.append((reward - sum(rewards) / len(rewards)) / (stdev(rewards) + 1e-6))
    return found


def _write(name: str, batch: dict[str, list[Any]]) -> None:
    size = len(next(iter(batch.values())))
    lines = [
        json.dumps({**{key: value[row : row + 1] for key, value in batch.items()}, "idx": row}) for row in range(size)
    ]
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _sums(offset: int) -> list[tuple[list[Message], float]]:
    """Two prompts with four answers each, as the mathematics environment leaves them."""
    samples = []
    for left in (2, 3):
        prompt = [("prompt", "system: add\n"), ("prompt", f"user: {left}+{offset}=")]
        for answer in (left + offset, left + offset, 0, left):
            right = float(answer == left + offset)
            seen = ("environment", "Environment: correct" if right else "Environment: incorrect")
            samples.append(([*prompt, ("answer", str(answer)), seen], right))
    return samples


def main() -> None:
    """Write all files."""
    for step in (1, 2):
        _write(f"training/train_data_step{step}.jsonl", _batch(_sums(step)))
    messages = [[{"role": "user", "content": "1+1="}, {"role": "assistant", "content": "2"}] for _ in range(2)]
    _write("training/val_data_step2.jsonl", {"content": messages, "rewards": [1.0, 1.0]})
    old = _batch([(messages[1:], reward) for messages, reward in _sums(1)])
    kept = ("content", "rewards", "generation_logprobs", "prev_logprobs", "input_lengths")
    _write("old/train_data_step10.jsonl", {key: old[key] for key in kept})
    # Dynamic sampling: the content is of the samples kept, `rewards` of all of the last batch.
    filtered = _batch(_sums(1))
    before = [0.0, 0.0, 0.0, 0.0, *filtered["rewards"][:3]]
    rewards = {"rewards": before, "filtered_rewards": filtered["rewards"]}
    agents = {"agent_ref": [{"type": "responses_api_agents", "name": "sums"} for _ in filtered["content"]]}
    _write("filtered/train_data_step1.jsonl", {**agents, **filtered, **rewards})
    turns = [
        (
            [
                ("prompt", "guess\n"),
                ("answer", guess),
                ("environment", "low\n"),
                ("answer", last),
                ("environment", end),
            ],
            right,
        )
        for guess, last, end, right in [("1", "5", "", 1.0), ("2", "4", "wrong", 0.0), ("1", "9", "wrong", 0.0)]
    ]
    _write("turns/train_data_step1.jsonl", _batch(turns))


if __name__ == "__main__":
    main()
