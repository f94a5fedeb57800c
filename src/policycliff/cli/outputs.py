"""Output files: checked before the work, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policycliff.errors import InvalidInputError

if TYPE_CHECKING:
    import polars as pl

STDOUT = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where the results go; `-` means the standard output, for one of JSON and Markdown."""

    json: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    out: Path | None = None
    drop_list: Path | None = None

    def stdout(self) -> str | None:
        """The option whose result takes the standard output."""
        return next((option for option, path in self._given().items() if path == STDOUT), None)

    def files(self) -> dict[str, Path]:
        """Option to path of the files to write."""
        return {option: path for option, path in self._given().items() if path != STDOUT}

    def _given(self) -> dict[str, Path]:
        named = {
            "--json": self.json,
            "--html": self.html,
            "--markdown": self.markdown,
            "--out": self.out,
            "--drop-list": self.drop_list,
        }
        return {option: path for option, path in named.items() if path is not None}

    def require_writable(self, inputs: Iterable[Path]) -> None:
        """Refuse paths that cannot be written, twice the same, or one of the inputs.

        Raises:
            InvalidInputError: Names the option and the path.
        """
        self._require_one_on_stdout()
        taken = {path.resolve(): f"the input {path}" for path in inputs}
        for option, path in self.files().items():
            place = path.resolve()
            if place in taken:
                raise InvalidInputError(f"{option} {path} is the same file as {taken[place]}. Give another path.")
            taken[place] = f"{option} {path}"
            _require_file(option, path)
            _require_folder(option, path)

    def _require_one_on_stdout(self) -> None:
        there = [option for option, path in self._given().items() if path == STDOUT]
        for option in there:
            if option not in {"--json", "--markdown"}:
                raise InvalidInputError(f"{option} - is not possible: give a file (--json - for the output).")
        if len(there) > 1:
            raise InvalidInputError(f"{' and '.join(there)} cannot both go to the standard output. Give one a file.")


def write_all(contents: dict[Path, str]) -> None:
    """Write files: each appears whole, and none before all are on the disk.

    Raises:
        InvalidInputError: A file cannot be written; nothing has changed then.
    """
    staged: list[tuple[str, Path]] = []
    path: Path | None = None
    try:
        for path, text in contents.items():
            staged.append((_stage(path.resolve(), text), path.resolve()))
        for temporary, place in staged:
            Path(temporary).replace(place)
    except OSError as error:
        # A full disk names no file.
        raise InvalidInputError(f"cannot write {error.filename or path}: {error.strerror}.") from error
    finally:
        for temporary, _ in staged:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()


def json_text(result: dict[str, Any]) -> str:
    """A result as JSON, readable and strict (no NaN)."""
    return json.dumps(result, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def drop_list_text(prompts: "pl.DataFrame", path: Path) -> str:
    r"""The prompts to drop: JSON or CSV with reasons if the path's suffix says so, else one name a line.

    >>> import polars as pl
    >>> drop_list_text(pl.DataFrame({"prompt": ["p1"], "reason": ["zero spread"]}), Path("drop.txt"))
    'p1\n'
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        lines = prompts.write_ndjson().splitlines()
        return "[\n" + ",\n".join(lines) + "\n]\n"
    if suffix == ".csv":
        return prompts.write_csv()
    return "".join(f"{' '.join(name.splitlines())}\n" for name in prompts["prompt"])


def _require_file(option: str, path: Path) -> None:
    if path.is_dir():
        raise InvalidInputError(f"{option} {path} is a directory; give a file.")
    if path.exists() and not path.is_file():
        raise InvalidInputError(f"{option} {path} is not a regular file; give a file (--json - for the output).")


def _require_folder(option: str, path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InvalidInputError(f"{option} {path}: the folder {folder} does not exist. Create it first.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidInputError(f"{option} {path}: the folder {folder} is not writable ({error.strerror}).") from error


def _stage(place: Path, text: str) -> str:
    """Write the text beside its place and say where; leaves nothing behind if that fails."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_umask())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
