"""`write_source`: an MDP with all its rewards into a file of ours or of Storm."""

from pathlib import Path

import numpy as np

from policycliff.mdp.files import write_whole
from policycliff.mdp.json_file import write_json
from policycliff.mdp.messages import check_kind, fail
from policycliff.mdp.model import MDP
from policycliff.mdp.npz_file import write_npz
from policycliff.mdp.sources.source import MDPSource, plain_source
from policycliff.mdp.sources.storm_writers import drn_text, explicit_texts

WRITTEN_ENDINGS = (".npz", ".json", ".drn", ".tra")


def written_files(source: MDPSource, path: Path) -> list[Path]:
    """The files that `write_source` would write.

    Raises:
        InvalidInputError: another ending.
    """
    ending = path.suffix.lower()
    if ending not in WRITTEN_ENDINGS:
        raise fail(
            got=f"the file name {path.name!r}",
            expected=f"one that ends in {', '.join(WRITTEN_ENDINGS)}",
            remedy="Rename the output.",
        )
    if ending != ".tra":
        return [path]
    return [path.with_name(name) for name in explicit_texts(source, path.stem)]


def write_source(source: MDPSource | MDP, path: str | Path) -> list[Path]:
    """Write an MDP with its reward components; the ending says how.

    Args:
        source: what `read_source` gave, or an MDP.
        path: ends in .npz, .json, .drn or .tra (with .lab, .sta and a .trew for each reward beside it).

    Returns:
        The files that were written, each whole or not at all.

    Raises:
        InvalidInputError: another ending, a folder that cannot be written to, or names that the format cannot hold.
    """
    check_kind("source", source, (MDP, MDPSource), made_by="MDP.from_arrays or read_source")
    check_kind("path", path, (str, Path), made_by="pathlib.Path")
    given = plain_source(source) if isinstance(source, MDP) else source
    place = Path(path)
    files = written_files(given, place)
    ending = place.suffix.lower()
    several = given.reward_names != ("reward",)
    if ending == ".npz":
        extra = {"components": given.rewards, "reward_names": np.array(given.reward_names), "weights": given.weights}
        write_whole(place, lambda temporary: write_npz(given.mdp, temporary, **(extra if several else {})))
    elif ending == ".json":
        components = given.rewards if several else None
        names, weights = given.reward_names, given.weights.tolist()
        write_whole(
            place,
            lambda temporary: write_json(
                given.mdp, temporary, components=components, reward_names=names, weights=weights
            ),
        )
    else:
        texts = {place.name: drn_text(given)} if ending == ".drn" else explicit_texts(given, place.stem)
        for name, text in texts.items():
            _write_text(place.with_name(name), text)
    return files


def _write_text(place: Path, text: str) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8", newline="\n")

    write_whole(place, write)
