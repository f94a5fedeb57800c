"""Scripts of `benchmarks/` as modules, for the tests that run the same functions."""

import importlib.util
import sys
from pathlib import Path


def load(name):
    """The module benchmarks/<name>.py."""
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
