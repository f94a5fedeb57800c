"""What a folder of a sentence embedding model says of itself; read as JSON, and none of its code is run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policycliff.errors import InvalidInputError, SourceNotFoundError

POOLING = ("mean", "cls", "lasttoken")
"""How the vectors of a text's tokens become one."""

_REMEDY = "Embed the completions with the tools of that model, and give them as a column with --embedding."


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A model on the disk.

    Attributes:
        weights: Folder with the weights, their configuration and the tokenizer.
        pooling: One of `POOLING`.
        most_tokens: Tokens that the model reads of a text, where the folder says so.
    """

    weights: Path
    pooling: str
    most_tokens: int | None


def read_model_folder(folder: Path) -> ModelFolder:
    """Understand a folder saved by sentence-transformers, or by transformers (then the mean over tokens is taken).

    Raises:
        SourceNotFoundError: No such folder.
        InvalidInputError: It holds no weights in safetensors, or its model has parts beyond a transformer and pooling.
    """
    if not folder.is_dir():
        raise SourceNotFoundError(
            f"model folder {folder} does not exist. Nothing is downloaded: give a folder that is on this machine."
        )
    modules = _json(folder / "modules.json") if (folder / "modules.json").exists() else []
    weights, pooling = (folder, "mean") if not modules else _parts(folder, modules)
    if not (weights / "config.json").is_file():
        raise InvalidInputError(f"{weights} is no model folder: it has no config.json.")
    if not any(weights.glob("*.safetensors")):
        raise InvalidInputError(
            f"{weights} has no weights in safetensors. Other files of weights can run code when they are loaded, so "
            "they are not. Where you trust them, load and save the model once with transformers."
        )
    settings = _optional(folder / "config_sentence_transformers.json")
    prompt = (settings.get("prompts") or {}).get(settings.get("default_prompt_name") or "")
    if prompt:
        raise InvalidInputError(f"{folder} puts a prompt before every text, which is not supported. {_REMEDY}")
    most = _optional(weights / "sentence_bert_config.json").get("max_seq_length")
    return ModelFolder(weights=weights, pooling=pooling, most_tokens=most if isinstance(most, int) else None)


def _parts(folder: Path, modules: Any) -> tuple[Path, str]:
    """Folder of the transformer and kind of pooling, of the modules that sentence-transformers lists."""
    if not isinstance(modules, list) or not all(isinstance(item, dict) for item in modules):
        raise InvalidInputError(f"{folder / 'modules.json'} is no list of modules.")
    kinds = [str(item.get("type", "")).rsplit(".", 1)[-1] for item in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise InvalidInputError(
            f"the model in {folder} consists of {', '.join(kinds) or 'nothing'}; a Transformer, its Pooling and "
            f"Normalize are supported. {_REMEDY}"
        )
    places = [(folder / str(item.get("path", ""))).resolve() for item in modules[:2]]
    if not all(place.is_relative_to(folder.resolve()) for place in places):
        raise InvalidInputError(f"{folder / 'modules.json'} leads out of its folder.")
    weights = folder if places[0] == folder.resolve() else places[0]
    return weights, _pooling(places[1] / "config.json")


def _pooling(path: Path) -> str:
    settings = _json(path)
    names = {"mean_tokens": "mean", "cls_token": "cls", "lasttoken": "lasttoken"}
    old = [key.removeprefix("pooling_mode_") for key, on in settings.items() if key.startswith("pooling_mode_") and on]
    given = settings.get("pooling_mode", [names.get(key, key) for key in old] or "mean")
    modes = [given] if isinstance(given, str) else given
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in POOLING:
        raise InvalidInputError(
            f"{path} asks for pooling {given!r}; one of {', '.join(POOLING)} is supported. {_REMEDY}"
        )
    return str(modes[0])


def _optional(path: Path) -> dict[str, Any]:
    found = _json(path) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path} cannot be read as JSON: {error}.") from error
