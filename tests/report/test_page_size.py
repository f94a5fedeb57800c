"""The page stays below 5 MB, however large the table and however long its texts."""

import numpy as np
import polars as pl
import pytest

from policycliff.report.html import render_html
from policycliff.rollouts.audit import audit

MOST_BYTES = 5_000_000


@pytest.mark.parametrize(
    ("prompts", "samples", "rewards", "aggregation"),
    [(400, 8, 3, "sum_then_normalize"), (250, 64, 4, "normalize_then_sum"), (250, 16, 12, "normalize_then_sum")],
)
def test_a_page_of_long_texts_and_long_numbers_stays_small(prompts, samples, rewards, aggregation):
    """Every completion and every number differs; the texts are of characters that take six bytes in the page."""
    rng = np.random.default_rng(0)
    rows = prompts * samples
    names = [f"reward_{number}" for number in range(rewards)]
    table = pl.DataFrame({name: rng.normal(size=rows) for name in (*names, "truth")}).with_columns(
        prompt=pl.Series(np.repeat(np.arange(prompts), samples)).cast(pl.String) + "\u4e16" * 1000,
        completion=pl.int_range(rows).cast(pl.String) + "\u754c" * 1000,
    )
    weights = dict.fromkeys(names, 1.0)
    result = audit(
        table, prompt="prompt", completion="completion", rewards=weights, truth="truth", aggregation=aggregation
    ).to_dict()
    sample = result["sample"]
    assert sample["left_out"] + len(sample["prompts"]) == 190
    page = render_html(result)
    assert len(page.encode()) < MOST_BYTES, len(page.encode())
