"""Tables that every node of a cluster can open."""

from pathlib import Path
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.ray_cluster import require_ray
from policycliff.rollouts.reading.understand import Opened


def anywhere(table: Any) -> Any:
    """The table's paths, if it has such, as they are understood in any folder."""
    if isinstance(table, str | Path):
        return Path(table).expanduser().absolute()
    return [anywhere(item) for item in table] if isinstance(table, list | tuple) else table


def require_files(found: Opened) -> None:
    """Refuse what workers cannot read.

    Raises:
        MissingExtraError: Ray Data is not installed.
        InvalidInputError: The table is in the memory of this process.
    """
    require_ray("ray.data")
    if not found.source.files:
        raise InvalidInputError(
            f"executor 'ray' reads files that every node reaches under the same path; got {found.source.description}. "
            "Write it to Parquet files first, or leave the executor out."
        )
