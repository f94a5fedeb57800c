"""The page's own files: style sheets and scripts, and the partial Plotly bundle."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from policycliff.report.elements import Html

_STYLES = ("base", "cards", "tables", "plots", "prompts", "sliders", "explore", "print")


@cache
def style() -> Html:
    """All style sheets, one after another: the later ones win."""
    return Html("".join(_read(f"styles/{name}.css") for name in _STYLES))


@cache
def plotly() -> Html:
    """Plotly's script with the cartesian plots alone: a third of the whole library."""
    return Html(_read("vendor/plotly-cartesian.min.js"))


def scripts(names: Sequence[str]) -> Html:
    """Our scripts of these names as one strict script; later ones use what earlier ones define."""
    return Html('"use strict";\n' + "".join(_read(f"scripts/{name}.js") for name in names))


def digest(script: str) -> str:
    """How a content security policy names an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _read(path: str) -> str:
    return files("policycliff.report").joinpath(path).read_text(encoding="utf-8")
