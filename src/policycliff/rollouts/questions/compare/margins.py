"""Where the choices part: by how sure the first reward was."""

from typing import Any

import numpy as np

from policycliff.rollouts.intervals import share
from policycliff.shapes import Bool, Float64

MOST_BINS = 8
_FEWEST_IN_BIN = 10


def by_margin(
    margin: Float64[np.ndarray, " prompts"],
    unique: Bool[np.ndarray, " prompts"],
    changed: Bool[np.ndarray, " prompts"],
    expected: Float64[np.ndarray, " prompts"] | None,
) -> list[dict[str, Any]]:
    """Share of changed prompts among those of like margin, beside what scoring again would change.

    Args:
        margin: Standardised winning margin under the first reward.
        unique: Prompts with a unique best under it; the others are left out.
        changed: Whether the choices have nothing in common.
        expected: Probability that scoring again changes the choice; None where noise is not known.
    """
    asked = np.flatnonzero(unique & np.isfinite(margin))
    bins = min(MOST_BINS, len(asked) // _FEWEST_IN_BIN)
    if bins == 0:
        return []
    # Prompts of equal margin stay together, so a bin may come out larger than another, or empty.
    edges = np.unique(np.quantile(margin[asked], np.linspace(0.0, 1.0, bins + 1)[1:-1], method="lower"))
    bin_of = np.searchsorted(edges, margin[asked], side="left")
    rows = []
    for number in np.unique(bin_of).tolist():
        members = asked[bin_of == number]
        rows.append(
            {
                "margin": float(np.median(margin[members])),
                "prompts": len(members),
                "changed": share(changed[members]),
                "expected": None if expected is None else float(expected[members].mean()),
            }
        )
    return rows
