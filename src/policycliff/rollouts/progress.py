"""How far a long piece of work is."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of the work that is behind, between 0 and 1."""


def within(report: Progress, start: float, end: float) -> Progress:
    """Progress of a stage that goes from one share of the work to another.

    >>> within(lambda stage, share: print(stage, share), 0.5, 0.7)("rows", 0.5)
    rows 0.6
    """

    def scaled(stage: str, share: float) -> None:
        report(stage, start + share * (end - start))

    return scaled


def silent(_stage: str, _share: float) -> None:
    """Progress that nobody looks at."""
