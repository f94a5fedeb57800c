"""The command `policycliff prefix-tree` end to end, on real data and on hostile text."""

import json
from collections import defaultdict
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.rollouts.questions.prefix_tree.question import prefix_tree

DATA = Path(__file__).parents[2] / "data"
HUMANEVAL = str(files("policycliff.data") / "humaneval_codegen.parquet")


def run(*arguments):
    return CliRunner().invoke(app, ["prefix-tree", *map(str, arguments)])


def by_texts(path, reward):
    """Best texts of each prompt by a dictionary, their common beginning in characters, and all prefixes."""
    prompts = defaultdict(lambda: defaultdict(list))
    for row in pl.read_parquet(path).iter_rows(named=True):
        if row[reward] is not None:
            prompts[row["prompt_id"]][row["completion"]].append(Fraction(repr(row[reward])))
    found = {}
    for name, texts in prompts.items():
        value = {text: sum(r) / len(r) for text, r in texts.items()}
        best = [text for text, v in value.items() if v == max(value.values())]
        depth = min(_alike(text, best[0]) for text in best) if len(best) > 1 else None
        found[name] = (best, depth, {text[:k] for text in texts for k in range(len(text) + 1)})
    return found


def _alike(one, other):
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize(("name", "reward"), [("math_rm", "rm_score"), ("topical_chat_ratings", "human_overall")])
def test_real_data_by_characters(name, reward):
    path = DATA / f"{name}.parquet"
    tree = prefix_tree(path, rewards=[reward], split="characters").to_dict()["figures"]["tree"]
    expected = by_texts(path, reward)
    tied = [depth for _, depth, _ in expected.values() if depth is not None]
    assert tree["prefixes"] == sum(len(prefixes) for _, _, prefixes in expected.values())
    assert (tree["several_share"]["count"], tree["several_share"]["total"]) == (len(tied), len(expected))
    assert tree["first_parting_depth"]["value"] == pytest.approx(np.mean(tied))
    assert tree["optimal_traces"]["value"] == pytest.approx(np.mean([len(best) for best, _, _ in expected.values()]))


def test_units_agree_on_the_texts():
    """However a text is cut, the best texts, the prompts and the radius are the same; finer pieces part no earlier."""
    found = {
        split: prefix_tree(HUMANEVAL, rewards=["generated_tests_pass_rate"], split=split, sample=40).to_dict()
        for split in ("characters", "words", "lines")
    }
    trees = [item["figures"]["tree"] for item in found.values()]
    for key in ("several_share", "optimal_traces", "radius", "all_tied_share", "traces"):
        assert trees[0][key] == trees[1][key] == trees[2][key]
    depths = [tree["first_parting_relative"]["value"] for tree in trees]
    assert depths[0] >= depths[1]


def test_json_html_and_terminal(tmp_path):
    arguments = (HUMANEVAL, "--reward", "generated_tests_pass_rate", "--truth", "hidden_tests_passed")
    page = tmp_path / "page.html"
    shown = run(*arguments, "--html", page, "--sample", 30)
    assert shown.exit_code == 0, shown.output
    for words in ("several best texts", "WHERE IN THE TEXT IT IS DECIDED", "WHERE TIED BEST TEXTS PART FIRST", "truth"):
        assert words in shown.stdout
    html = page.read_text(encoding="utf-8")
    for words in ("Where most reward is lost", "share of the text behind", "What this cannot know"):
        assert words in html
    result = json.loads(run(*arguments, "--sample", 30, "--json", "-").stdout)
    assert result["question"] == "prefix-tree"
    options = {"rewards": ["generated_tests_pass_rate"], "truth": "hidden_tests_passed", "sample": 30}
    assert result == json.loads(json.dumps(prefix_tree(HUMANEVAL, **options).to_dict()))
    assert result["settings"]["split"] == "words"


def steps_table(path):
    rows = [
        {"prompt": "p", "completion": f"c{i}", "steps": steps, "paid": paid, "keys": keys, "reward": sum(paid)}
        for i, (steps, paid, keys) in enumerate(
            [
                (["read", "<b>add</b>"], [0.5, 0.5], ["r", "s"]),
                (["look", "add \x1b[31m"], [0.25, 0.75], ["l", "s"]),
                (["read", "guess"], [0.5, 0.0], ["r", "g"]),
                ([], [], []),
            ]
        )
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_steps_step_rewards_and_merge(tmp_path):
    table = steps_table(tmp_path / "steps.jsonl")
    paid = run(table, "--steps", "steps", "--step-rewards", "paid", "--json", "-")
    assert paid.exit_code == 0, paid.output
    figures = json.loads(paid.stdout)["figures"]
    assert figures["unit"] == "step"
    assert figures["tree"]["optimal_traces"]["value"] == 2
    assert figures["steps"]["disputed_steps"] == 0
    html = tmp_path / "merged.html"
    merged = run(table, "--steps", "steps", "--merge", "keys", "--html", html)
    assert merged.exit_code == 0, merged.output
    assert "With equal keys as one state" in html.read_text(encoding="utf-8")
    assert "\x1b[31m" not in merged.stdout
    assert "<b>add</b>" not in html.read_text(encoding="utf-8").replace("&lt;b&gt;", "")


def test_bad_input_is_one_line(tmp_path):
    result = run(HUMANEVAL, "--reward", "generated_tests_pass_rate", "--tokens", "ids")
    assert result.exit_code == 2
    assert "no column 'ids' (tokens)" in " ".join(result.output.split())
    result = run(HUMANEVAL, "--reward", "generated_tests_pass_rate", "--split", "x*")
    assert result.exit_code == 2


@pytest.mark.parametrize("ids", [[[], []], [[1, 2], [1, 2]], [[], [1]]])
@pytest.mark.parametrize("more", ["", "--merge", "--step-rewards"])
def test_nothing_to_part(tmp_path, ids, more):
    """Empty completions, one text only, and an end beside a piece are told, not refused."""
    keys = {"--merge": ids, "--step-rewards": [[0.5] * len(tokens) for tokens in ids], "": [None, None]}[more]
    table, page = tmp_path / "rows.parquet", tmp_path / "page.html"
    schema = {"prompt": pl.String, "ids": pl.List(pl.Int64), "more": pl.List(pl.Float64), "reward": pl.Float64}
    pl.DataFrame({"prompt": ["p", "p"], "ids": ids, "more": keys, "reward": [1.0, 0.0]}, schema=schema).write_parquet(
        table
    )
    options = [more, "more"] if more else []
    result = run(table, "--tokens", "ids", *options, "--json", tmp_path / "out.json", "--html", page)
    assert result.exit_code == 0, result.output
    tree = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["figures"]["tree"]
    assert tree["traces"] == len(set(map(tuple, ids)))
    assert tree["one_trace_share"]["value"] == (1.0 if ids[0] == ids[1] else 0.0)
    assert "What this cannot know" in page.read_text(encoding="utf-8")
