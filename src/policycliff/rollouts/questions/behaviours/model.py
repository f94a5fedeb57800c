"""Vectors of texts from a model folder on this machine; nothing is downloaded, unpickled, or run from the folder.

transformers is used without sentence-transformers: the latter takes more packages, and classes named by the folder's
own `modules.json`. Both give the same vectors.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.extras import require
from policycliff.rollouts.questions.behaviours.embedded import Embedded, each_distinct
from policycliff.rollouts.questions.behaviours.model_folder import ModelFolder, read_model_folder
from policycliff.rollouts.reading.files import first_line

_BATCH = 32
_NO_LIMIT = 100_000
_UNUSED = ("pooler.", "lm_head.", "cls.")
"""Weights that take no part in the vectors of tokens, and are often left out of a saved model."""


def embed_texts(texts: Any, folder: Path, report: Callable[[float], None]) -> Embedded:
    """Vectors of the completions.

    Args:
        texts: A Polars column of texts.
        folder: As saved by sentence-transformers or transformers, with weights in safetensors.
        report: Called with the share of the texts that is done.

    Raises:
        MissingExtraError: transformers or PyTorch is not installed.
        SourceNotFoundError: No such folder.
        InvalidInputError: A model that cannot be used; the message says why.
    """
    described = read_model_folder(folder)
    purpose = "embedding completions with a model"
    transformers = require("transformers", extra="embed", purpose=purpose)
    torch = require("torch", extra="embed", purpose=purpose)
    tokenizer, model = _loaded(described, transformers)
    limit = _limit(described, tokenizer, model)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).float().eval()
    cut: list[int] = []

    def embed(chosen: list[str]) -> np.ndarray:
        # Texts of like length together: little of a batch is padding.
        order = sorted(range(len(chosen)), key=lambda i: -len(chosen[i]))
        vectors: np.ndarray | None = None
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            batch = [chosen[i] for i in part]
            cut.append(sum(len(ids) > limit for ids in tokenizer(batch, verbose=False)["input_ids"]))
            tokens = tokenizer(batch, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
            found = _pooled(torch, model, tokens, described.pooling)
            if vectors is None:
                vectors = np.empty((len(chosen), found.shape[1]), dtype=np.float32)
            vectors[part] = found
            report((start + len(part)) / len(order))
        return np.empty((0, 0)) if vectors is None else vectors

    vectors = each_distinct(texts, embed)
    return Embedded(vectors, f"model {folder.resolve().name}", cut=sum(cut), most_tokens=limit)


def _loaded(described: ModelFolder, transformers: Any) -> tuple[Any, Any]:
    """Tokenizer and model; every weight that takes part must be in the file."""
    place = str(described.weights)
    safe = {"local_files_only": True, "trust_remote_code": False}
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **safe)
        model, info = transformers.AutoModel.from_pretrained(
            place, use_safetensors=True, output_loading_info=True, **safe
        )
    except Exception as error:
        raise InvalidInputError(f"the model in {place} cannot be loaded: {first_line(error)}") from error
    finally:
        if bars:
            transformers.utils.logging.enable_progress_bar()
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(_UNUSED))
    if missing:
        raise InvalidInputError(
            f"the file of weights in {place} lacks {len(missing)} of the model's, {missing[0]} for one. They would be "
            "random, and so would be the vectors."
        )
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer, model


def _limit(described: ModelFolder, tokenizer: Any, model: Any) -> int:
    """Tokens that are read of a text."""
    positions = getattr(model.config, "max_position_embeddings", None) or _NO_LIMIT
    if described.most_tokens is not None:
        return min(described.most_tokens, positions)
    # Some models count positions from 2, which only the tokenizer's own limit tells.
    return min(tokenizer.model_max_length if tokenizer.model_max_length < _NO_LIMIT else positions - 2, positions)


def _pooled(torch: Any, model: Any, tokens: Any, pooling: str) -> np.ndarray:
    mask = tokens["attention_mask"]
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state
    if pooling == "cls":
        found = states[:, 0]
    elif pooling == "lasttoken":
        found = states[torch.arange(len(states), device=states.device), mask.sum(dim=1).clamp(min=1) - 1]
    else:
        weight = mask.unsqueeze(-1).to(states.dtype)
        found = (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)
    return np.asarray(found.float().cpu().numpy())
