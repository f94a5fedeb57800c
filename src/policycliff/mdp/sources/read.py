"""`read_source`: an MDP from whatever a user has, told by its name.

FrozenLake-v1, gymnasium:Taxi-v4, mo-gymnasium:deep-sea-treasure-v0    environments (extra `gym`)
momdp_transitions.parquet:deep_sea_treasure_convex                       tables of several MDPs
model.npz, model.json                                                    our own formats
model.drn, model.tra                                                     explicit files of Storm and PRISM
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.mdp.files import load_mdp
from policycliff.mdp.json_file import read_json_components
from policycliff.mdp.messages import as_integer, check_gamma, fail
from policycliff.mdp.model import MDP
from policycliff.mdp.npz_file import read_npz_components
from policycliff.mdp.sources.drn_reader import read_drn
from policycliff.mdp.sources.environments import ENVIRONMENT_ID, environment_source
from policycliff.mdp.sources.source import MDPSource, with_components
from policycliff.mdp.sources.tra_reader import read_tra

FILE_ENDINGS = (".npz", ".json", ".drn", ".tra", ".parquet")


def read_source(
    source: str | Path,
    *,
    gamma: float | None = None,
    options: Mapping[str, Any] | None = None,
    max_states: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> MDPSource:
    """An MDP with all its reward components, from a file or an environment's id.

    Args:
        source: a path that ends in .npz, .json, .drn, .tra or .parquet (`:NAME` behind it for one of several); or
            the id of an environment of Gymnasium (toy text) or MO-Gymnasium (finite ones), optionally with
            `gymnasium:` or `mo-gymnasium:` before it.
        gamma: discount in [0, 1]; None for the file's own, or 0.99 where it has none (`notes` say so).
        options: keyword arguments of the environment, such as {"is_slippery": False}.
        max_states: where the enumeration of an environment stops, by default 1,000,000 states.
        progress: takes what is being done and the share behind.

    Returns:
        An `MDPSource`: `mdp` under the mixture of `rewards`, names, notes on conventions, the grid where known.

    Raises:
        SourceNotFoundError: no such file.
        InvalidInputError: a file or an environment that is not one finite MDP; the message says what and where.
        MissingExtraError: an environment without the extra `gym`.

    Example:
        >>> import tempfile
        >>> from policycliff import read_source
        >>> text = '{"gamma": 0.5, "states": [{"actions": [{"rewards": [1, 0], "next": {"0": 1}}]}]}'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = open(f"{folder}/two.json", "w").write(text)
        ...     read_source(f"{folder}/two.json").reward_names
        ('reward_0', 'reward_1')
    """
    text = str(source)
    wanted = None if gamma is None else check_gamma(gamma)
    if max_states is not None and as_integer("max_states", max_states) < 1:
        raise fail(got=f"max_states = {max_states}", expected="at least 1", remedy="Leave it out for the default.")
    if options is not None and not isinstance(options, Mapping):
        raise fail(
            got=f"options = {options!r}",
            expected="keyword arguments of the environment as a dictionary",
            remedy="For example {'is_slippery': False}.",
        )
    if ENVIRONMENT_ID.fullmatch(text) and not Path(text).exists():
        show = progress if progress is not None else _say_nothing
        return environment_source(text, options=options or {}, gamma=wanted, max_states=max_states, progress=show)
    if options:
        raise fail(
            got=f"options {dict(options)} for {text!r}",
            expected="options for environments only",
            remedy="Leave them out, or name an environment.",
        )
    return _from_file(text, wanted)


def _from_file(text: str, gamma: float | None) -> MDPSource:
    head, colon, name = text.rpartition(":")
    if colon and head.lower().endswith(".parquet"):
        return _from_table(Path(head), name, gamma)
    path = Path(text)
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _from_table(path, None, gamma)
    if ending == ".drn":
        return read_drn(path, gamma=gamma)
    if ending == ".tra":
        return read_tra(path, gamma=gamma)
    if ending in {".npz", ".json"}:
        return _own_format(path, gamma)
    raise fail(
        got=repr(text),
        expected=f"a file that ends in {', '.join(FILE_ENDINGS)}, or an environment's id such as FrozenLake-v1",
        remedy="Check the name.",
    )


def _from_table(path: Path, name: str | None, gamma: float | None) -> MDPSource:
    from policycliff.mdp.sources.parquet_tables import read_parquet_mdp  # noqa: PLC0415 - Polars is heavy

    return read_parquet_mdp(path, name, gamma=gamma)


def _own_format(path: Path, gamma: float | None) -> MDPSource:
    """The formats of `policycliff.mdp.files`, with their reward components."""
    mdp = load_mdp(path)
    if gamma is not None:
        mdp = _with_gamma(mdp, gamma)
    plain = MDPSource(path.name, mdp, mdp.rewards[None, :], ("reward",), np.ones(1))
    if path.suffix.lower() == ".npz":
        given = read_npz_components(path)
        if "components" not in given:
            return with_components(plain, mdp.rewards[None, :], reward_names=("reward",), weights=[1.0])
        rewards = given["components"]
        if rewards.ndim != 2 or rewards.shape[1] != mdp.n_pairs or rewards.dtype.kind not in "fiu":
            raise InvalidInputError(
                f"{path.name}: Got `components` of shape {rewards.shape}; expected (K, {mdp.n_pairs}), the pairs of "
                f"the "
                "MDP. Reshape them."
            )
        names = [str(name) for name in given.get("reward_names", [f"reward_{k}" for k in range(len(rewards))])]
        return _own_components(plain, rewards.astype(np.float64), names, given.get("weights"))
    _, parts = read_json_components(path)
    rewards = np.zeros((len(parts.names), mdp.n_pairs))
    rewards[:, ~mdp.terminal[mdp.pair_states]] = parts.rewards
    return _own_components(plain, rewards, parts.names, parts.weights)


def _own_components(source: MDPSource, rewards: np.ndarray, names: list[str], weights: Any) -> MDPSource:
    try:
        return with_components(source, rewards, reward_names=names, weights=weights)
    except InvalidInputError as error:
        raise InvalidInputError(f"{source.name}: {error}") from error


def _with_gamma(mdp: MDP, gamma: float) -> MDP:
    """The same world under another discount."""
    if gamma == 1.0 and not mdp.is_acyclic:
        raise fail(
            got="gamma = 1 and an MDP with a cycle", expected="an acyclic MDP where gamma is 1", remedy="Use less."
        )
    return replace(mdp, gamma=gamma)


def _say_nothing(_stage: str, _share: float) -> None:
    pass
