"""The figures of the theorems' page, as plain data: the cliff on the user's MDP or on a built-in instance."""

from collections.abc import Sequence
from typing import Any

from policycliff.statements.cliff_figure import cliff_figure
from policycliff.statements.instances import Instance

SHOWN = "tied chain"


def figures(instances: Sequence[Instance]) -> dict[str, Any]:
    """Figure by name; one that says nothing about the instance is None."""
    shown = next((instance for instance in instances if instance.name == SHOWN), instances[0])
    return {"cliff": cliff_figure(shown)}
