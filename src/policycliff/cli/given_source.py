"""How the command line names an MDP: the files behind it, and the options of an environment."""

from pathlib import Path

from policycliff.mdp.messages import fail
from policycliff.mdp.sources.read import FILE_ENDINGS


def input_files(text: str) -> list[Path]:
    """The files that a source names, which no output may replace."""
    name = text.rpartition(":")[0] if ".parquet:" in text.lower() else text
    path = Path(name)
    if path.suffix.lower() not in FILE_ENDINGS:
        return []
    if path.suffix.lower() == ".tra":
        return [file for file in path.parent.glob(f"{path.stem}.*") if file.suffix not in {".html", ".json"}]
    return [path]


def pairs_of(texts: list[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary.

    Raises:
        InvalidInputError: one without `=`, or a name twice.
    """
    result: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or name.strip() in result:
            raise fail(
                got=f"{option} {text!r}",
                expected="NAME=VALUE, each name once",
                remedy="For example is_slippery=false or time=0.5.",
            )
        result[name.strip()] = value.strip()
    return result
