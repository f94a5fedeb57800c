"""Tables of extreme, missing and degenerate numbers: a whole result and page without a warning, or one error."""

import io
import json
import warnings

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from policycliff.errors import PolicyCliffError, TableError
from policycliff.report.html import render_html
from policycliff.report.terminal import print_audit
from policycliff.rollouts.audit import audit

EXTREMES = [0.0, -0.0, 1.0, 0.1, 0.2, 0.3, 1e70, -1e70, 5e-324, 1e-300, 1e16, 1e16 + 2, np.nan, np.inf, -np.inf, None]
COARSE = [0.0, 1.0, 0.5, -1.0, 0.1, 0.2, 0.3, None]


def hostile_table(rng):
    sizes = rng.integers(1, 7, size=rng.integers(1, 8))
    rows = int(sizes.sum())
    pool = [EXTREMES, COARSE, [0.0, 1.0, np.nan], list(rng.normal(size=5))][rng.integers(0, 4)]
    columns = {name: [pool[i] for i in rng.integers(0, len(pool), rows)] for name in ("r", "s", "t")}
    texts = [["a", "b", "c", "", "<script>", None][i] for i in rng.integers(0, 6, rows)]
    answers = [["x", "y", None][i] for i in rng.integers(0, 3, rows)]
    prompt = np.repeat([f"p{i}" for i in range(len(sizes))], sizes)
    frame = {"prompt": prompt, "completion": texts, "answer": answers, **columns}
    return pl.DataFrame(frame, schema_overrides=dict.fromkeys(columns, pl.Float64), strict=False)


def hostile_options(rng):
    def one_of(*choices):
        return choices[rng.integers(0, len(choices))]

    options = {
        "rewards": {"r": one_of(1.0, 0.5, -1.0, 1e-8, 1e60), "s": one_of(1.0, 0.0, 0.3, -2.0)},
        "missing": one_of("omit", "zero"),
        "aggregation": one_of("sum_then_normalize", "normalize_then_sum"),
        "noise": one_of("auto", None, 0.0, 0.1, 1e70, 1e-300),
        "beta": one_of(None, 1e-70, 1e-3, 1e70),
        "behaviour": one_of(None, "answer"),
    }
    return options | one_of({"truth": "t"}, {"rerun": {"r": "t"}}, {"max_reward": {"r": 1.0}}, {})


@pytest.mark.parametrize("seed", range(60))
def test_whole_or_one_error(seed):
    rng = np.random.default_rng(seed)
    table, options = hostile_table(rng), hostile_options(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = audit(table, **options).to_dict()
        except PolicyCliffError:
            return
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert render_html(result)
        print_audit(result, Console(file=io.StringIO(), width=100))


def test_numbers_that_cannot_be_squared_are_refused_with_their_row():
    table = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "r": [1.0, 1e308]})
    with pytest.raises(TableError, match=r"'r' has 1e\+308 in row 2"):
        audit(table, rewards=["r"])
