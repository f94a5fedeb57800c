"""What the name and the place of an lm-evaluation-harness samples file say: the task and the model."""

import re
from pathlib import Path

from policycliff.rollouts.formats.shared.values import object_beside

_NAME = re.compile(r"^samples_(.+)_(\d{4}-\d\d-\d\dT[^_]+?)\.jsonl?(\.gz)?$")


def task_of(path: Path) -> str:
    """The task, empty for a file that was renamed.

    >>> task_of(Path("out/org__model/samples_gsm8k_cot_2026-11-22T00-21-53.901256.jsonl"))
    'gsm8k_cot'
    """
    found = _NAME.match(path.name)
    return found[1] if found else ""


def source_of(path: Path) -> str:
    """The model: from the results of the same run beside the file, else the folder's name, else the file's."""
    found = _NAME.match(path.name)
    if found is None:
        return path.name
    results = [item for item in path.parent.glob("*.json") if item.stem.endswith(f"_{found[2]}")]
    for item in results[:1]:
        name = object_beside(item).get("model_name")  # For people only: else the folder's name will do.
        if isinstance(name, str) and name:
            return name
    return path.resolve().parent.name
