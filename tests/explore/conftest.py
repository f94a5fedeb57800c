"""Fixtures of the tests of `policycliff explore`: a server on a free port, asked over HTTP."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_examples import rollouts
from visitor import Visitor, explored

sys.path.extend(str(Path(__file__).parents[1] / folder) for folder in ("report", "rollouts"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explored")


@pytest.fixture(scope="module")
def visitor(folder: Path) -> Iterator[Visitor]:
    """Of a table with ties, repeats, gaps, second scores, sources and a truth."""
    options = {"rewards": {"passes": 1.0, "style": 0.2}, "truth": "correct", "rerun": {"style": "style_again"}}
    roles = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": "model"}
    with explored(folder / "table.parquet", rollouts(prompts=60), **options, **roles) as found:
        yield found
