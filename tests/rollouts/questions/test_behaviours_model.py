"""Model folders: what is refused before anything is loaded, and the vectors of tiny models made here."""

import json
import socket

import numpy as np
import polars as pl
import pytest

from policycliff.errors import InvalidInputError, MissingExtraError, SourceNotFoundError
from policycliff.rollouts.questions.behaviours.model import embed_texts
from policycliff.rollouts.questions.behaviours.model_folder import read_model_folder
from policycliff.rollouts.questions.behaviours.question import behaviours

TEXTS = pl.Series(["the answer is four", "the answer is 4", "yes", "", "no no no", "yes " * 60, "yes"])
PARTS = [("", "sentence_transformers.models.Transformer"), ("1_Pooling", "sentence_transformers.models.Pooling")]


def folder_of(path, *, modules=PARTS, pooling=None, weights="model.safetensors", more=None):
    """A folder as sentence-transformers saves it; its weights are empty."""
    files = {"config.json": {}, "modules.json": [{"path": place, "type": kind} for place, kind in modules]}
    files |= {"1_Pooling/config.json": pooling or {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}}
    for name, content in (files | (more or {})).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(json.dumps(content), encoding="utf-8")
    (path / weights).touch()
    return path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True, "word_embedding_dimension": 8}, "cls"),
        ({"pooling_mode_lasttoken": True}, "lasttoken"),
        ({"pooling_mode": "cls", "embedding_dimension": 8}, "cls"),
        ({"embedding_dimension": 8}, "mean"),
    ],
)
def test_pooling_of_old_and_new_folders(tmp_path, settings, expected):
    folder = folder_of(tmp_path, pooling=settings, more={"sentence_bert_config.json": {"max_seq_length": 128}})
    found = read_model_folder(folder)
    assert (found.pooling, found.most_tokens, found.weights) == (expected, 128, folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "pytorch_model.bin"}, "no weights in safetensors"),
        ({"modules": [*PARTS, ("2_Dense", "sentence_transformers.models.Dense")]}, "Transformer, Pooling, Dense"),
        ({"modules": [("", "evil.Code")]}, "consists of Code"),
        ({"modules": [("../elsewhere", PARTS[0][1]), PARTS[1]]}, "leads out of its folder"),
        ({"pooling": {"pooling_mode_max_tokens": True}}, "asks for pooling"),
        ({"pooling": {"pooling_mode": ["mean", "max"]}}, "asks for pooling"),
        ({"more": {"modules.json": {"a": 1}}}, "no list of modules"),
        (
            {"more": {"config_sentence_transformers.json": {"prompts": {"q": "query: "}, "default_prompt_name": "q"}}},
            "puts a prompt before every text",
        ),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, options, message):
    with pytest.raises(InvalidInputError, match=message):
        read_model_folder(folder_of(tmp_path / "model", **options))


def test_a_folder_that_is_not_there_and_one_that_is_no_model(tmp_path):
    with pytest.raises(SourceNotFoundError, match="Nothing is downloaded"):
        read_model_folder(tmp_path / "missing")
    with pytest.raises(InvalidInputError, match=r"no config\.json"):
        read_model_folder(tmp_path)
    (tmp_path / "modules.json").write_text("[", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="cannot be read as JSON"):
        read_model_folder(tmp_path)


def test_without_the_packages_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"policycliff\[embed\]"):
        embed_texts(TEXTS, folder_of(tmp_path), lambda _done: None)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A BERT of two layers with random weights, saved by transformers."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "answer", "is", "four", "4", "yes", "no"]
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", model_max_length=32
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(names),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    folder = tmp_path_factory.mktemp("model")
    transformers.BertModel(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def with_pooling(model, target, mode):
    for item in model.iterdir():
        (target / item.name).write_bytes(item.read_bytes())
    modules = [{"idx": i, "name": str(i), "path": place, "type": kind} for i, (place, kind) in enumerate(PARTS)]
    (target / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (target / "1_Pooling").mkdir()
    (target / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode": mode, "embedding_dimension": 16}), encoding="utf-8"
    )
    return target


@pytest.mark.parametrize("mode", ["mean", "cls", "lasttoken"])
def test_vectors_are_those_of_each_text_alone(model, tmp_path, offline, mode):
    import torch
    import transformers

    found = embed_texts(TEXTS, with_pooling(model, tmp_path, mode), lambda _done: None)
    assert (found.cut, found.most_tokens, found.missing) == (1, 32, 0)
    network = transformers.BertModel.from_pretrained(model).eval()
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(model)
    for text, vector in zip(TEXTS, found.vectors, strict=True):
        ids = tokenizer(text)["input_ids"]
        ids = ids if len(ids) <= 32 else [*ids[:31], ids[-1]]
        with torch.inference_mode():
            states = network(torch.tensor([ids])).last_hidden_state[0].numpy()
        expected = {"mean": states.mean(axis=0), "cls": states[0], "lasttoken": states[-1]}[mode]
        assert np.abs(vector - expected).max() < 1e-5


@pytest.mark.parametrize("mode", ["mean", "cls", "lasttoken"])
def test_vectors_are_those_of_sentence_transformers(model, tmp_path, offline, mode):
    library = pytest.importorskip("sentence_transformers")
    found = embed_texts(TEXTS, with_pooling(model, tmp_path, mode), lambda _done: None).vectors
    expected = library.SentenceTransformer(str(tmp_path), device="cpu", local_files_only=True).encode(TEXTS.to_list())
    assert np.abs(found - expected).max() < 1e-5


def test_a_model_lacking_weights_is_refused(model, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    folder = with_pooling(model, tmp_path, "mean")
    weights = safetensors.load_file(folder / "model.safetensors")
    dropped = next(name for name in weights if name.startswith("encoder.layer.1"))
    kept = {name: value for name, value in weights.items() if name != dropped}
    safetensors.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInputError, match="They would be random"):
        embed_texts(TEXTS, folder, lambda _done: None)


def test_a_damaged_model_is_refused_in_one_line(model, tmp_path):
    folder = with_pooling(model, tmp_path, "mean")
    (folder / "model.safetensors").write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(InvalidInputError, match="cannot be loaded") as caught:
        embed_texts(TEXTS, folder, lambda _done: None)
    assert "\n" not in str(caught.value)


def test_the_question_with_a_model(model, offline):
    frame = pl.DataFrame({"prompt": ["p"] * 7, "completion": TEXTS, "reward": [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]})
    result = behaviours(frame, model=model, threshold=0.9, rewards=["reward"]).to_dict()
    figures = result["figures"]
    assert figures["vectors"] == {"texts": 6, "missing": 0, "cut": 1, "most_tokens": 32, "differing": 0}
    vectors = embed_texts(TEXTS, model, lambda _done: None).vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    joined = unit @ unit.T >= 0.9
    for _ in TEXTS:
        joined = (joined.astype(int) @ joined.astype(int)) > 0
    assert figures["chosen"]["behaviours"]["value"] == len({tuple(row) for row in joined})
    assert any("read only the first 32 tokens of 1 of 6 texts" in item["text"] for item in result["findings"])
