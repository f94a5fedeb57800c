"""What watching costs: a call of `Recorder.add`, and a step of a GRPO training with and without it.

python benchmarks/watch_benchmark.py --calls 100 --steps 12

The training needs TRL (the extra `trl`); without it only the recorder is measured. Its model is tiny and made here, so
that the cost of watching is not hidden behind that of a large model.
"""

import argparse
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from policycliff.integrations.live.figures import step_figures
from policycliff.integrations.live.rows import rows_of
from policycliff.integrations.recorder import Recorder
from policycliff.integrations.trl import watch
from policycliff.rollouts.settings import AuditSettings

SHAPES = ((64, 8), (128, 16))
LENGTHS = (200, 1000)
REWARDS = {"correct": 1.0, "format": 0.1, "brevity": 0.5}
WORDS = ["<pad>", "<eos>", *"abcdefgh"]
PROSE = ["so", "the", "sum", "of", "both", "sides", "is", "equal", "to", "x", "because", "12", "times", "7", "gives"]


def text(rng: np.random.Generator) -> str:
    """Words, of 200 to 1000 characters."""
    length = int(rng.integers(*LENGTHS))
    return " ".join(rng.choice(PROSE, length // 2))[:length]


def rollouts(prompts: int, size: int, rng: np.random.Generator) -> dict[str, Any]:
    """Rollouts of one step with three rewards and a truth; one completion in five is that of its neighbour."""
    count = prompts * size
    texts, asked = [text(rng) for _ in range(count)], [text(rng) for _ in range(prompts)]
    same = rng.random(count) < 0.2
    return {
        "prompts": [asked[number // size] for number in range(count)],
        "completions": [texts[number - number % size if same[number] else number] for number in range(count)],
        "scores": {
            "correct": rng.integers(0, 2, count).astype(float),
            "format": np.round(rng.random(count), 1),
            "brevity": -np.round(rng.random(count), 2),
        },
        "group_size": size,
        "truth": rng.random(count),
    }


def spread(seconds: list[float]) -> str:
    """Median and best of some times."""
    return f"median {1e3 * statistics.median(seconds):.2f} ms, best {1e3 * min(seconds):.2f} ms"


def measure_recorder(calls: int) -> None:
    """Print the time of a call, of the figures within it, and of the file that is written after it."""
    rng = np.random.default_rng(0)
    for prompts, size in SHAPES:
        whole, figures, files = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder(folder, rewards=REWARDS)
            for step in range(calls + 1):
                given = rollouts(prompts, size, rng)
                start = time.perf_counter()
                recorder.add(**given, step=step)
                whole.append(time.perf_counter() - start)
                start = time.perf_counter()
                recorder.flush()
                files.append(time.perf_counter() - start)
                rows = rows_of(**given)
                start = time.perf_counter()
                step_figures(rows, REWARDS, AuditSettings())
                figures.append(time.perf_counter() - start)
        print(f"Recorder.add, {prompts} prompts x {size}: {spread(whole[1:])}")
        print(f"  the figures alone: {spread(figures[1:])}; the file, meanwhile: {spread(files[1:])}")


def has_a(completions: list[str], **_: Any) -> list[float]:
    """A reward."""
    return [float("a" in completion) for completion in completions]


def short(completions: list[str], **_: Any) -> list[float]:
    """Another one."""
    return [-0.1 * len(completion.split()) for completion in completions]


def step_times(folder: Path, steps: int, *, watched: bool) -> list[float]:
    """CPU seconds of each step of a training of 64 prompts x 8 completions a step, but for the first."""
    import datasets
    import tokenizers
    import transformers
    import trl

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<pad>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=1, **sizes)
    ends: list[float] = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    transformers.set_seed(0)
    functions, watcher = watch([has_a, short], folder / "rollouts")
    trainer = trl.GRPOTrainer(
        transformers.LlamaForCausalLM(config),
        reward_funcs=functions if watched else [has_a, short],
        args=trl.GRPOConfig(
            output_dir=str(folder),
            max_steps=steps,
            per_device_train_batch_size=512,
            num_generations=8,
            max_completion_length=12,
            use_cpu=True,
            bf16=False,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_steps=steps,
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": f"{a} {b}"} for a in WORDS[2:] for b in WORDS[2:]]),
        processing_class=transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>"
        ),
        callbacks=[watcher, Clock()] if watched else [Clock()],
    )
    trainer.train()
    return np.diff(ends)[1:].tolist()


def main() -> None:
    """Print all times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    measure_recorder(options.calls)
    if find_spec("trl") is None:
        print("TRL is not installed: no training is measured")
        return
    for watched in (False, True, False, True):
        with tempfile.TemporaryDirectory() as folder:
            times = step_times(Path(folder), options.steps, watched=watched)
        print(f"CPU time of a GRPO step of 64 x 8, {'watched' if watched else 'not watched'}: {spread(times)}")


if __name__ == "__main__":
    main()
