"""The fixtures of all formats, to see that no reader takes another's files for its own."""

from pathlib import Path

from policycliff.rollouts.formats.format import Format
from policycliff.rollouts.formats.sample import sample_of

_FIXTURES = Path(__file__).parents[2] / "data" / "formats"
_SUFFIXES = (".parquet", ".jsonl", ".json", ".csv", ".eval")


def recognised_elsewhere(item: Format, own: tuple[str, ...]) -> list[Path]:
    """Files of other folders, and folders that are datasets, that a format takes for its own."""
    files = [path for path in _FIXTURES.rglob("*") if path.suffix in _SUFFIXES or (path / "state.json").is_file()]
    foreign = [path for path in files if not set(own) & set(path.relative_to(_FIXTURES).parts)]
    assert len(foreign) > 3
    return [path for path in foreign if item.recognise(sample_of(path)) is not None]
