"""A tiny training of TRL, for the tests that watch one: two layers over a vocabulary of a few words."""

import functools
from pathlib import Path

import polars as pl
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["<pad>", "<eos>", *"abcdefgh"]


def tiny_model(seed=0):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
    )
    return transformers.LlamaForCausalLM(config)


def tiny_tokenizer():
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<pad>")
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>")


def reward_model(name=""):
    """A model that scores a text, with weights that let texts differ."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        num_labels=1,
    )
    config.name_or_path = name
    return transformers.LlamaForSequenceClassification(config)


def as_models(rewards):
    """What TRL wants for each reward beside it: a tokeniser for a model."""
    return [tiny_tokenizer() if isinstance(reward, torch.nn.Module) else None for reward in rewards]


def has_a(prompts, completions, **kwargs):
    return [float("a" in completion) for completion in completions]


def short(prompts, completions, **kwargs):
    return [None if "h" in completion else -0.1 * len(completion.split()) for completion in completions]


async def has_b(prompts, completions, **kwargs):
    return [float("b" in completion) for completion in completions]


class Hidden:
    """A reward that is an object."""

    def __call__(self, prompts, completions, wanted, **kwargs):
        return (0.5 * (want in completion) for want, completion in zip(wanted, completions, strict=True))


FUNCTIONS = [has_a, short, has_b, functools.partial(has_a, more=1), Hidden()]


def trained(folder, functions=FUNCTIONS, callbacks=(), *, resume=None, steps=4, others=None, **settings):
    """A trainer that has trained.

    Args:
        folder: Where it writes.
        functions: Its rewards.
        callbacks: Its callbacks.
        resume: A checkpoint to go on from.
        steps: How many steps to train.
        others: Other arguments of the trainer.
        settings: Fields of its `GRPOConfig`.
    """
    import trl

    rows = [{"prompt": f"{one} {two}", "wanted": one, "level": 1.0 + (one == "a")} for one in "abcd" for two in "efg"]
    config = {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 5,
        "use_cpu": True,
        "bf16": False,
        "report_to": [],
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "learning_rate": 1e-2,
        "seed": 7,
        **settings,
    }
    given = {
        "reward_funcs": list(functions),
        "train_dataset": datasets.Dataset.from_list(rows),
        "eval_dataset": datasets.Dataset.from_list(rows[:4]),
        "processing_class": tiny_tokenizer(),
        "callbacks": list(callbacks),
    }
    trainer = trl.GRPOTrainer(tiny_model(), args=trl.GRPOConfig(**config), **(given | (others or {})))
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def table_of(folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))])


def parameters_of(trainer):
    return [value.detach().numpy().tobytes() for value in trainer.model.state_dict().values()]


UNLIKE = ("policycliff", "time", "per_second")


def own_logs(trainer):
    """What the trainer logs without the watcher's figures and without times."""
    return [
        {name: value for name, value in row.items() if not any(part in name for part in UNLIKE)}
        for row in trainer.state.log_history
    ]
