"""The formats there are, and which of them a file is."""

from collections.abc import Sequence
from pathlib import Path

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.formats.canonical import CANONICAL
from policycliff.rollouts.formats.format import FileSample, Format
from policycliff.rollouts.formats.hf_dataset.reader import HF_DATASET
from policycliff.rollouts.formats.inspect_logs.reader import INSPECT
from policycliff.rollouts.formats.lm_eval.reader import LM_EVAL
from policycliff.rollouts.formats.nemo_rl.reader import NEMO_RL
from policycliff.rollouts.formats.preferences.reader import PREFERENCES
from policycliff.rollouts.formats.recorded import RECORDED
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.tinker import TINKER
from policycliff.rollouts.formats.trl.reader import TRL
from policycliff.rollouts.formats.verifiers.results import VERIFIERS_RESULTS
from policycliff.rollouts.formats.verifiers.traces import VERIFIERS
from policycliff.rollouts.formats.verl import VERL
from policycliff.rollouts.formats.wide.reader import WIDE
from policycliff.rollouts.reading.hints import did_you_mean

PLAIN = "plain"
"""Name of no format: a table as it stands, whose columns are found by name."""

FORMATS: tuple[Format, ...] = (
    CANONICAL,
    TRL,
    NEMO_RL,
    VERIFIERS,
    VERIFIERS_RESULTS,
    INSPECT,
    RECORDED,
    TINKER,
    VERL,
    HF_DATASET,
    LM_EVAL,
    PREFERENCES,
    WIDE,
)
"""In the order in which they are tried: the more particular first."""


def format_names() -> tuple[str, ...]:
    """Every name that `--format` takes."""
    return (*(item.name for item in FORMATS), PLAIN)


def format_named(name: str) -> Format | None:
    """The format of this name, None for `plain`.

    Raises:
        InvalidInputError: There is no such format; the message lists those there are.
    """
    found = {item.name: item for item in FORMATS}.get(name)
    if found is None and name != PLAIN:
        raise InvalidInputError(
            f"there is no format {name!r}.{did_you_mean(name, format_names())} Formats: {', '.join(format_names())}."
        )
    return found


def recognise_format(paths: Sequence[Path]) -> tuple[Format, str] | None:
    """The format of the files and why, or None for a plain table.

    Raises:
        TableError: The first and the last file are of different formats.
    """
    ends = [paths[0]] if len(paths) == 1 else [paths[0], paths[-1]]
    found = [_recognised(sample_of(path)) for path in ends]
    names = [PLAIN if item is None else item[0].name for item in found]
    if len(set(names)) > 1:
        raise TableError(
            f"{ends[0]} is of format {names[0]!r} and {ends[-1]} of {names[-1]!r}. Give files of one format, or name "
            "it with --format."
        )
    return found[0]


def _recognised(sample: FileSample) -> tuple[Format, str] | None:
    for item in FORMATS:
        reason = item.recognise(sample)
        if reason is not None:
            return item, reason
    return None
