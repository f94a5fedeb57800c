"""Test session: check every array shape at run time (jaxtyping with beartype), except inside Numba kernels."""

import pkgutil

import jaxtyping
import pytest
from hypothesis import settings
from shape_checks import checked

import policycliff

# The same examples in every run; `pytest --hypothesis-profile explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("repeatable")

# The scripts that made the data need the libraries that wrote it.
# Files of fixtures share a name, under which only one can be looked through for doctests.
collect_ignore_glob = ["data/*", "conftest.py", "*/conftest.py"]

# Settings check the caller's values themselves, with messages that are under test.
_UNCHECKED = ("kernels", "rollouts.settings")


def _checked_modules() -> list[str]:
    """Every module but the kernels: Numba compiles their functions from source and cannot see a wrapper."""
    modules = pkgutil.walk_packages(policycliff.__path__, "policycliff.", onerror=None)
    # The name of a package would stand for all that is in it.
    names = [module.name for module in modules if not module.ispkg]
    return [name for name in names if not name.endswith(_UNCHECKED) and name.count(".") > 1]


# The hook writes `@jaxtyping.jaxtyped(typechecker=...)` above every function and class.
jaxtyping.jaxtyped = lambda *, typechecker: checked
jaxtyping.install_import_hook(_checked_modules(), "beartype.beartype")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Workers take tests in the order of the files, so that one sets a module up, and the first to end helps on."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"
