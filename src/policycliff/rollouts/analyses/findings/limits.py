"""What the data cannot say."""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.analyses.findings.words import Finding, finding, percent


def limits(result: dict[str, Any]) -> Iterator[Finding]:
    """Mixed sources, and that samples are not the policy."""
    mixed = result["mixed_sources_share"]
    if mixed is not None and mixed["count"]:
        yield finding(
            "Sec 3.4",
            "note",
            ("mixed_sources_share", mixed),
            f"{percent(mixed)} of groups mix several source models: reweighting such a sample is no policy's optimum, "
            "so read total variations there as distances between rewards, not between policies.",
        )
    sizes = result["counts"]["group_sizes"]
    size = str(sizes["min"]) if sizes["min"] == sizes["max"] else f"{sizes['min']} to {sizes['max']}"
    yield finding(
        "Assumption: samples",
        "note",
        ("counts.group_sizes", None),
        f"All figures are for {size} sampled completions a prompt. The best of a sample is not the best of all "
        "completions, and more samples make more ties: compare tables at a common group size only.",
    )
