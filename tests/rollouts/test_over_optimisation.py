"""Whether the best of k by the reward helps is said only as far as its interval shows it."""

import numpy as np
import polars as pl
import pytest

from policycliff import audit


def finding(slope: float) -> dict:
    """The finding where the truth is noise plus so many times the reward."""
    rng = np.random.default_rng(0)
    reward, noise = rng.random(2400), rng.random(2400)
    prompts = [f"p{row // 8}" for row in range(2400)]
    table = pl.DataFrame({"prompt": prompts, "reward": reward, "truth": noise + slope * reward})
    found = [item for item in audit(table, rewards=["reward"], truth="truth").verdict if item["statement"] == "Sec 5.4"]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(("slope", "severity"), [(1.0, "good"), (0.0, "note"), (-1.0, "warning")])
def test_severity_follows_the_interval(slope, severity):
    assert finding(slope)["severity"] == severity


def test_turning_against_the_truth_is_named_only_where_it_shows():
    assert "turns against the truth" in finding(-1.0)["text"]
    assert "turns against the truth" not in finding(0.0)["text"]
