"""Writes these fixtures: completion logs of real GRPOTrainer runs of TRL 1.16.0 on a CPU, with a tiny random model.

Command, with trl 1.16.0, transformers 5.23.0, torch 2.13.0, datasets 5.2.0 and pandas 3.1.1: `python make.py`.

Beside the folder of each run stands a JSON file of its name: what the reward functions were given and what they
returned, call by call. Nothing of it comes from the Parquet files, so that tests can compare the two.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import GRPOConfig, GRPOTrainer

HERE = Path(__file__).parent
WORDS = ["a", "b", "c", "d", "e", "f", "g", "h", "red", "green", "blue", "say", "name", "user", "assistant"]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
# The first prompt stands twice, so that two groups of one prompt can come next to each other.
PROMPTS = ["say a", "say a", "name red", "say b"]


def _tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        chat_template=TEMPLATE,
    )


def _model() -> LlamaForCausalLM:
    set_seed(7)
    config = LlamaConfig(
        vocab_size=len(WORDS) + 3,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else completion[-1]["content"]


def _reward_functions(calls: list[dict[str, Any]], *, extra: bool) -> list[Callable[..., list[float | None]]]:
    def letters(prompts: list[Any], completions: list[Any], log_extra: Any, **_: Any) -> list[float | None]:
        scores: list[float | None] = [float(" a" in f" {_text(item)}") for item in completions]
        calls.append({"prompts": prompts, "completions": completions, "letters": scores})
        if extra:
            log_extra("first_word", [(_text(item).split() or [""])[0] for item in completions])
            log_extra("n_words", [len(_text(item).split()) for item in completions])
        return scores

    def brevity(completions: list[Any], **_: Any) -> list[float | None]:
        counts = [len(_text(item).split()) for item in completions]
        pairs = zip(completions, counts, strict=True)
        scores = [None if "red" in _text(item) else 0.1 * count for item, count in pairs]
        calls[-1]["brevity"] = scores
        return scores

    return [letters, brevity]


def _run(name: str, *, chat: bool = False, extra: bool = False, evaluation: bool = False, **options: Any) -> None:
    rows = [[{"role": "user", "content": item}] for item in PROMPTS] if chat else PROMPTS
    calls: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "output_dir": folder,
            "num_generations": 4,
            "per_device_train_batch_size": 8,
            "max_completion_length": 6,
            "max_steps": 3,
            "logging_steps": 1,
            "log_completions": True,
            "num_completions_to_print": 0,
            "use_cpu": True,
            "bf16": False,
            "report_to": [],
            "save_strategy": "no",
            "learning_rate": 1e-3,
            "seed": 3,
            **options,
        }
        trainer = GRPOTrainer(
            model=_model(),
            reward_funcs=_reward_functions(calls, extra=extra),
            args=GRPOConfig(**settings),
            train_dataset=Dataset.from_dict({"prompt": rows}),
            eval_dataset=Dataset.from_dict({"prompt": ["say c", "say d", "say e"]}) if evaluation else None,
            processing_class=_tokenizer(),
        )
        trainer.train()
        target = HERE / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(folder) / "completions", target)
    (HERE / f"{name}.json").write_text(json.dumps(calls, indent=1) + "\n")


def main() -> None:
    """Write all runs."""
    _run("text")
    _run("chat", chat=True, extra=True, reward_weights=[1.0, 0.5])
    _run("evaluation", evaluation=True, eval_strategy="steps", eval_steps=2, eval_on_start=True, num_generations_eval=2,
         per_device_eval_batch_size=2)  # fmt: skip
    _run("twice", num_iterations=2, max_steps=4)
    _run("unscaled", scale_rewards="none", reward_weights=[1.0, 0.5], max_steps=2)
    _run("batch", scale_rewards="batch", max_steps=2)
    _run("normalised_first", multi_objective_aggregation="normalize_then_sum", max_steps=2)


if __name__ == "__main__":
    main()
