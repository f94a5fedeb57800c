"""The audit of a table in parts beside that of the whole table: tables of every kind, and where the results differ."""

import re
from math import isclose, sqrt
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from policycliff.errors import PolicyCliffError
from policycliff.rollouts.audit import Audit, audit_table, settings_from_options
from policycliff.rollouts.parts.opened import Work

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SIMULATED = (
    "flip_probability_mean",
    "unique_loses_probability_mean",
    "predicted_flip_probability_mean",
)
"""Figures from random draws, which another part draws anew; so are the sentences that cite them."""

WEIGHTS = {"one": 1.0, "two": 0.25}
ROLES = {"prompt": "prompt", "completion": "completion", "rewards": WEIGHTS}
SCHEMA = {
    "prompt": pl.String,
    "group": pl.String,
    "step": pl.Int64,
    "completion": pl.String,
    "answer": pl.String,
    "model": pl.String,
    "one": pl.Float64,
    "two": pl.Float64,
    "again": pl.Float64,
    "truth": pl.Float64,
    "extra": pl.Int64,
}
_TENTHS = st.integers(0, 4).map(lambda n: n / 10)
_MAYBE = st.none() | _TENTHS | st.sampled_from([float("nan"), float("inf")])


@st.composite
def tables(draw: Any, *, most_prompts: int = 8, most_rows: int = 24) -> pl.DataFrame:
    """Rows of scattered groups: ties, repeats, gaps, prompts of one completion, groups without a name, null steps."""
    prompts = draw(st.integers(1, most_prompts))
    row = st.fixed_dictionaries(
        {
            "prompt": st.integers(1, prompts).map(lambda n: f"question {n}"),
            "group": st.none() | st.integers(1, prompts).map(lambda n: f"g{n}"),
            "step": st.none() | st.integers(0, 3),
            "completion": st.sampled_from(["a b c", "b c d", "c", "", None]),
            "answer": st.sampled_from(["x", "y", None]),
            "model": st.sampled_from(["m", "n", None]),
            "one": _TENTHS,
            "two": _MAYBE,
            "again": _MAYBE,
            "truth": _MAYBE,
            "extra": st.integers(0, 3),
        }
    )
    rows = draw(st.lists(row, min_size=2, max_size=most_rows))
    repeated = draw(st.lists(st.integers(0, len(rows) - 1), max_size=4))
    return pl.DataFrame([*rows, *(rows[number] for number in repeated)], schema=SCHEMA)


def outcome(table: Any, options: dict[str, Any], work: Work | None = None) -> Audit | str:
    """The audit, or what it says is wrong."""
    try:
        return audit_table(table, settings_from_options(options), work)
    except PolicyCliffError as error:
        return f"{type(error).__name__}: {error}"


def assert_parts_equal_whole(table: Any, options: dict[str, Any], parts: int) -> Audit | str:
    """Audit a table in memory and in parts on disk, and find the same; the audit in parts, or the error of both."""
    whole = outcome(table, options, Work(executor="memory"))
    found = outcome(table, options, Work(executor="disk", parts=parts))
    if isinstance(whole, str) or isinstance(found, str):
        assert found == whole
        return found
    assert_same(found, whole)
    assert found.result["settings"]["executor"] == "disk"
    assert found.result["settings"]["parts"] == parts
    return found


def assert_same(found: Audit, whole: Audit) -> None:
    """The same figures, findings, prompts and rows, but for what is simulated: that agrees within its error."""
    assert differences(found.result, whole.result) == []
    for reward, figures in whole.result["rewards"].items():
        _assert_simulated(found.result["rewards"][reward], figures)
    assert found.drop_list.equals(whole.drop_list)
    assert found.drop_list.schema == whole.drop_list.schema


def differences(found: Any, whole: Any, path: str = "") -> list[str]:
    """Where two results differ: numbers by more than 1e-9, all else at all."""
    name = path.rsplit("/", 1)[-1]
    if name in SIMULATED or path in {"/settings/executor", "/settings/parts"}:
        return []
    if path == "/settings/notes":
        found = [note for note in found if not note.startswith("audited in")]
    if path == "/verdict":
        found, whole = _findings(found), _findings(whole)
    if isinstance(whole, dict) and isinstance(found, dict):
        if list(found) != list(whole):
            return [f"{path}: keys {list(found)} and {list(whole)}"]
        return [text for key in whole for text in differences(found[key], whole[key], f"{path}/{key}")]
    if isinstance(whole, list) and isinstance(found, list):
        if len(found) != len(whole):
            return [f"{path}: {found} and {whole}"]
        return [
            text
            for at, pair in enumerate(zip(found, whole, strict=True))
            for text in differences(*pair, f"{path}/{at}")
        ]
    if path.startswith("/verdict/") and name == "text":
        return [] if _same_sentence(found, whole) else [f"{path}: {found!r} and {whole!r}"]
    same = _close(found, whole) if isinstance(found, float) and isinstance(whole, float) else found == whole
    return [] if same and type(found) is type(whole) else [f"{path}: {found!r} and {whole!r}"]


def _close(found: float, whole: float) -> bool:
    return isclose(found, whole, rel_tol=1e-9, abs_tol=1e-9)


def _same_sentence(found: str, whole: str) -> bool:
    """Equal, but that a figure may be rounded to the other side."""
    pairs = zip(_NUMBER.findall(found), _NUMBER.findall(whole), strict=False)
    rounded = all(isclose(float(one), float(other), rel_tol=0.011) for one, other in pairs)
    return rounded and _NUMBER.sub("#", found) == _NUMBER.sub("#", whole)


def _findings(verdict: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The findings in their order; of a simulated figure, whose severity decides its place, what it is of."""
    simulated = [item for item in verdict if item["figure"]["key"].endswith(SIMULATED)]
    named = [f"{item['statement']}: {item['figure']['key'].rsplit('.', 1)[-1]}" for item in simulated]
    return {"computed": [item for item in verdict if item not in simulated], "simulated": sorted(named)}


def _assert_simulated(found: dict[str, Any], whole: dict[str, Any]) -> None:
    """Two estimates of one mean of probabilities lie within four standard errors of their difference."""
    for name in SIMULATED[:2]:
        _assert_close_estimates(found.get(name), whole.get(name), whole)
    if whole.get("rerun"):
        name = SIMULATED[2]
        _assert_close_estimates(found["rerun"][name], whole["rerun"][name], whole)


def left_in(folder: Path) -> list[Path]:
    """What stands in a folder of temporary files."""
    return list(folder.iterdir())


def _assert_close_estimates(found: Any, whole: Any, figures: dict[str, Any]) -> None:
    assert (found is None) == (whole is None)
    if whole is None or whole["value"] is None:
        assert found == whole
        return
    # A mean over fewer prompts (those with a unique best) has the error of one of them at most.
    p, draws = min(max(whole["value"], 0.01), 0.99), figures.get("noise_draws", 32)
    error = sqrt(2 * p * (1 - p) / draws)
    assert abs(found["value"] - whole["value"]) <= 4 * error
    assert found["low"] <= found["value"] <= found["high"]
