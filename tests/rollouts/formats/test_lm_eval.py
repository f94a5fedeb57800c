"""Samples of lm-evaluation-harness: files that lm-eval 0.4.13 wrote, against the rules by which the models answered."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from broken_files import HOSTILE, recognised_elsewhere, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.lm_eval.reader import LM_EVAL
from policycliff.rollouts.formats.registry import recognise_format
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.settings import AuditSettings

FOLDER = Path(__file__).parents[2] / "data" / "formats" / "lm_eval"
SUMS = sorted(FOLDER.glob("*/samples_sums_2*.jsonl"))
TWICE = sorted(FOLDER.glob("*/samples_sums_twice_*.jsonl"))
CAPITALS = sorted(FOLDER.glob("*/samples_capitals_*.jsonl"))
# By the rules in make.py: the sums are 3, 7, 10, 9 and 18.
ANSWERS = {
    "org/rule-0": ["answer 3", "answer 7", "answer 9", "answer 9", "answer 17"],
    "org/rule-1": ["It is 3.", "It is 7.", "It is 10.", "answer 9", "It is 18."],
}
STRICT = {"org/rule-0": [1.0, 1.0, 0.0, 1.0, 0.0], "org/rule-1": [0.0, 0.0, 0.0, 1.0, 0.0]}
FLEXIBLE = {"org/rule-0": [1.0, 1.0, 0.0, 1.0, 0.0], "org/rule-1": [1.0, 1.0, 1.0, 1.0, 1.0]}


def _rows(paths: list[Path], **settings: Any) -> list[dict[str, Any]]:
    return LM_EVAL.read(paths, AuditSettings(**settings)).frame.collect().to_dicts()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_samples_and_results_are_recognised_and_nothing_else_is() -> None:
    files = [path for path in FOLDER.rglob("*.json*") if path.is_file()]
    assert len(files) == 8
    assert all(LM_EVAL.recognise(sample_of(path)) for path in files)
    assert recognised_elsewhere(LM_EVAL, "lm_eval") == []
    found = recognise_format(SUMS)
    assert found is not None
    assert found[0] is LM_EVAL


@pytest.mark.parametrize("value", HOSTILE)
def test_recognising_survives_any_row(value: Any) -> None:
    row = dict.fromkeys(("doc_id", "doc", "arguments", "resps", "filtered_resps"), value)
    sample = FileSample(path=Path("x"), container="JSON Lines", rows=({}, row))
    assert LM_EVAL.recognise(sample) is None


def test_responses_of_two_models_compete_under_both_filters() -> None:
    rows = _rows(SUMS)
    for name, source in (("completion", ANSWERS), ("exact_match,strict", STRICT), ("exact_match,flexible", FLEXIBLE)):
        assert [row[name] for row in rows] == [*source["org/rule-0"], *source["org/rule-1"]]
    assert [row["source"] for row in rows] == ["org/rule-0"] * 5 + ["org/rule-1"] * 5
    assert [row["group"] for row in rows[:5]] == [row["group"] for row in rows[5:]]
    assert len({row["group"] for row in rows}) == 5
    assert rows[0]["prompt"] == "Q: 1+2?\nA:"


def test_the_means_are_those_of_the_results_file() -> None:
    for path, source in zip(SUMS, ANSWERS, strict=True):
        results = json.loads(next(path.parent.glob("results_*.json")).read_text())["results"]["sums"]
        for metric in ("exact_match,strict", "exact_match,flexible"):
            values = [row[metric] for row in _rows(SUMS) if row["source"] == source]
            assert math.isclose(sum(values) / 5, results[metric])


def test_the_audit_counts_ties_of_distinct_texts() -> None:
    found = policycliff.audit([str(path) for path in SUMS]).to_dict()
    # Of five documents one has the same text twice; 10 and 18 are wrong for the strict filter twice.
    assert found["counts"]["prompts"] == 5
    tied = found["rewards"]["exact_match,strict"]["tied_share"]
    assert (tied["count"], tied["total"]) == (2, 5)
    loose = found["rewards"]["exact_match,flexible"]["tied_share"]
    assert (loose["count"], loose["total"]) == (2, 5)
    assert found["rewards"]["exact_match,flexible"]["weight"] == 0


def test_one_file_of_one_response_a_document_is_refused_with_the_remedy() -> None:
    with pytest.raises(TableError, match="several models or runs"):
        LM_EVAL.read(SUMS[:1], AuditSettings())
    with pytest.raises(TableError, match="several models or runs"):
        policycliff.audit(TWICE[0])


def test_repeats_are_one_behaviour_and_said_to_be() -> None:
    reading = LM_EVAL.read(TWICE, AuditSettings())
    first = reading.frame.collect()["completion"][0]
    assert json.loads(first) == ["answer 3", "answer 3"]
    # Two models, five documents, two filters.
    assert [(item.count, item.unit) for item in reading.skipped] == [(20, "documents")]


def test_choices_compete_by_likelihood_and_the_target_is_the_truth() -> None:
    rows = _rows(CAPITALS)
    assert [row["completion"] for row in rows[:3]] == [" Paris", " Lyon", " Nice"]
    for row in rows:
        number = int(row["source"][-1])
        expected = -(len(row["completion"]) * 0.5 + number * ord(row["completion"][1]) / 64)
        assert math.isclose(row["loglikelihood"], expected)
        assert math.isclose(row["loglikelihood_per_character"], expected / len(row["completion"].strip()))
    right = [row["completion"].strip() for row in rows if row["correct"] == 1.0]
    assert right == ["Paris", "Rome", "Madrid"] * 2
    assert len({row["group"] for row in rows}) == 6


def test_the_audit_of_choices_sees_the_tie_of_lyon_and_nice() -> None:
    found = policycliff.audit(CAPITALS[0]).to_dict()
    # -0.5 a character: Lyon and Nice tie at the top; Rome is best alone; Cadiz is best alone.
    tied = found["rewards"]["loglikelihood"]["tied_share"]
    assert (tied["count"], tied["total"], found["counts"]["prompts"]) == (1, 3, 3)
    assert found["truth"] is not None
    # With `correct` as a reward it is no truth besides.
    assert policycliff.audit(CAPITALS[0], rewards={"correct": 1.0}).to_dict()["truth"] is None


def test_a_folder_of_mixed_tasks_says_which_files_to_give() -> None:
    with pytest.raises(TableError, match=r"Give files of one task"):
        policycliff.audit(FOLDER)


def test_results_alone_are_refused_and_beside_samples_ignored(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="--log_samples"):
        policycliff.audit(next(FOLDER.glob("*/results_*.json")))
    for path in SUMS:
        shutil.copytree(
            path.parent, tmp_path / path.parent.name, ignore=shutil.ignore_patterns("*capitals*", "*twice*")
        )
    assert policycliff.audit(tmp_path).to_dict()["counts"]["completions"] == 10


def test_renamed_files_are_told_apart_by_their_names(tmp_path: Path) -> None:
    copies = [Path(shutil.copy(path, tmp_path / f"{number}.jsonl")) for number, path in enumerate(SUMS)]
    rows = _rows(copies)
    assert [row["source"] for row in rows] == ["0.jsonl"] * 5 + ["1.jsonl"] * 5


def test_without_results_the_folder_names_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "org__some"
    folder.mkdir()
    copies = [Path(shutil.copy(SUMS[0], folder)), SUMS[1]]
    assert {row["source"] for row in _rows(copies)} == {"org__some", "org/rule-1"}


def test_documents_of_other_content_do_not_compete(tmp_path: Path) -> None:
    rows = _lines(SUMS[1])
    for row in rows:
        if row["doc_id"] == 0:
            row["doc_hash"] = "0" * 64
    reading = LM_EVAL.read([SUMS[0], _write(tmp_path / SUMS[1].name, rows)], AuditSettings())
    assert reading.frame.collect()["group"].n_unique() == 6
    assert any("differ in content" in note for note in reading.notes)


def test_old_files_without_hashes_metrics_and_filters_are_read(tmp_path: Path) -> None:
    paths = []
    for path in SUMS:
        rows = [row for row in _lines(path) if row["filter"] == "flexible"]
        for row in rows:
            for name in ("doc_hash", "prompt_hash", "target_hash", "metrics", "filter"):
                del row[name]
            row["arguments"] = [list(item.values()) for item in row["arguments"].values()]
        paths.append(_write(tmp_path / f"{len(paths)}.jsonl", rows))
    rows = _rows(paths)
    assert [row["exact_match"] for row in rows] == [*FLEXIBLE["org/rule-0"], *FLEXIBLE["org/rule-1"]]


def test_metrics_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    rows = _lines(SUMS[1])
    rows[0] |= {"metrics": ["exact_match", "f1"], "f1": [1, 0]}
    reading = LM_EVAL.read([SUMS[0], _write(tmp_path / SUMS[1].name, rows)], AuditSettings())
    assert [(item.count, item.unit) for item in reading.skipped] == [(1, "values")]


def test_winogrande_and_mutual_information(tmp_path: Path) -> None:
    base = _lines(CAPITALS[0])[0]
    whole = base | {
        "arguments": {"gen_args_0": {"arg_0": "Ann", "arg_1": " ran"}, "gen_args_1": {"arg_0": "Bob", "arg_1": " ran"}},
        "resps": [[["-1.0", "False"]], [["-2.0", "False"]]],
    }
    rows = _rows([_write(tmp_path / "a.jsonl", [whole])])
    assert [row["completion"] for row in rows] == ["Ann ran", "Bob ran"]
    repeated = {
        f"gen_args_{3 + i}": {"arg_0": "", "arg_1": text} for i, text in enumerate((" Paris", " Lyon", " Nice"))
    }
    mutual = base | {"arguments": base["arguments"] | repeated, "resps": base["resps"] * 2}
    assert len(_rows([_write(tmp_path / "b.jsonl", [mutual])])) == 3


def test_one_likelihood_a_document_does_not_compete(tmp_path: Path) -> None:
    row = _lines(CAPITALS[0])[0]
    row |= {"arguments": {"gen_args_0": {"arg_0": "p", "arg_1": " a"}}, "resps": [[["-1.0", "True"]]]}
    with pytest.raises(TableError, match="one likelihood only, so nothing competes"):
        LM_EVAL.read([_write(tmp_path / "a.jsonl", [row])], AuditSettings())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"doc_id": None}, "doc_id"),
        ({"arguments": {}}, "arguments"),
        ({"resps": []}, "resps"),
        ({"resps": [[]]}, "resps"),
        ({"exact_match": 10**400}, "too large"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    rows = _lines(SUMS[1])
    rows[2] |= changed
    path = _write(tmp_path / "bad.jsonl", rows)
    with pytest.raises(TableError, match=message) as caught:
        LM_EVAL.read([SUMS[0], path], AuditSettings())
    assert f"{path}, line 3" in str(caught.value)


def test_a_cut_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(SUMS[0].read_bytes()[:-300])
    with pytest.raises(TableError, match="line 10"):
        LM_EVAL.read([path, SUMS[1]], AuditSettings())


@pytest.mark.parametrize("files", [SUMS, CAPITALS])
def test_broken_files_raise_nothing_else(tmp_path: Path, files: list[Path]) -> None:
    loaded = survivors(files, tmp_path, "lm-eval", 100, seed=5)
    assert loaded > 0 or files is SUMS  # one file of responses never has two completions
