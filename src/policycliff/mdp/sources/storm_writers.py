"""MDPs as explicit files of Storm: DRN, and `.tra` with `.lab`, `.sta` and a `.trew` for each reward.

Terminal states get one choice that returns to them, and the label `terminal`. A pair's reward is written as the reward
of its choice (DRN) or of each of its transitions (`.trew`, whose expectation it is). Numbers are written so that
they come back bit for bit. A `.tra` holds no discount: give it again when reading.
"""

import json
import re
from collections.abc import Iterator

import numpy as np

from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.mdp.sources.drn_reader import KEPT
from policycliff.mdp.sources.explicit import TERMINAL_LABEL, action_words
from policycliff.mdp.sources.source import MDPSource

_WORD = re.compile(r"[A-Za-z_][\w.-]*")


def drn_text(source: MDPSource) -> str:
    """The model as one DRN file."""
    return "\n".join([*_drn_head(source), *_drn_states(source)]) + "\n"


def explicit_texts(source: MDPSource, stem: str) -> dict[str, str]:
    """File names and contents: `.tra`, `.lab`, `.sta` and rewards."""
    check_reward_names(source)
    mdp = source.mdp
    single = len(source.reward_names) == 1
    rewards = {
        f"{stem}.trew" if single else f"{stem}.{name}.trew": "".join(_reward_lines(mdp, component))
        for name, component in zip(source.reward_names, source.rewards, strict=True)
    }
    files = {f"{stem}.tra": "mdp\n" + "".join(_transition_lines(mdp)), f"{stem}.lab": _label_text(mdp)}
    if mdp.state_names is not None:
        rows = "".join(f"{state}:({json.dumps(name)})\n" for state, name in enumerate(mdp.state_names))
        files[f"{stem}.sta"] = f"(name)\n{rows}"
    return files | rewards


def check_reward_names(source: MDPSource) -> None:
    """Raise unless each reward's name is one word."""
    for name in source.reward_names:
        if not _WORD.fullmatch(name):
            raise fail(
                got=f"the reward name {name!r}",
                expected="one word of letters, digits, `_`, `.` and `-`",
                remedy="Write .json or .npz, or rename it.",
            )


def _drn_head(source: MDPSource) -> list[str]:
    check_reward_names(source)
    kept: dict[str, object] = {"gamma": source.mdp.gamma}
    if source.mdp.action_names is not None:
        kept["action_names"] = list(source.mdp.action_names)
    return [
        "// Written by policycliff",
        KEPT + json.dumps(kept),
        "@type: MDP",
        "@parameters",
        "",
        "@reward_models",
        " ".join(source.reward_names),
        "@nr_states",
        str(source.mdp.n_states),
        "@nr_choices",
        str(source.mdp.n_pairs),
        "@model",
    ]


def _drn_states(source: MDPSource) -> Iterator[str]:
    mdp, rewards = source.mdp, source.rewards
    zeros = ", ".join(["0"] * len(rewards))
    uniform, words = _is_uniform(mdp), _action_words(mdp)
    for state in range(mdp.n_states):
        yield f"state {state} [{zeros}] {' '.join(_labels(mdp, state))}".rstrip()
        kept: dict[str, object] = {} if mdp.state_names is None else {"name": mdp.state_names[state]}
        if mdp.initial is not None and not uniform and mdp.initial[state] > 0.0:
            kept["initial"] = float(mdp.initial[state])
        if kept:
            yield KEPT + json.dumps(kept)
        for pair in range(int(mdp.offsets[state]), int(mdp.offsets[state + 1])):
            paid = ", ".join(repr(float(component[pair])) for component in rewards)
            yield f"\taction {words[mdp.actions[pair]]} [{paid}]"
            yield from (f"\t\t{target} : {probability!r}" for target, probability in _successors(mdp, state, pair))


def _action_words(mdp: MDP) -> list[str]:
    """What each action is called, by its index."""
    if mdp.action_names is None:
        return [str(label) for label in range(int(mdp.actions.max()) + 1)]
    return action_words(mdp.action_names)


def _labels(mdp: MDP, state: int) -> list[str]:
    labels = ["init"] if mdp.initial is not None and mdp.initial[state] > 0.0 else []
    return [*labels, TERMINAL_LABEL] if mdp.terminal[state] else labels


def _is_uniform(mdp: MDP) -> bool:
    """Whether the `init` labels say all of the start distribution."""
    if mdp.initial is None:
        return True
    first = mdp.initial[mdp.initial > 0.0]
    return bool((first == 1.0 / first.size).all())


def _successors(mdp: MDP, state: int, pair: int) -> list[tuple[int, float]]:
    if mdp.terminal[state]:
        return [(state, 1.0)]
    span = slice(int(mdp.indptr[pair]), int(mdp.indptr[pair + 1]))
    return sorted(zip(mdp.successors[span].tolist(), mdp.probabilities[span].tolist(), strict=True))


def _rows(mdp: MDP) -> Iterator[tuple[int, int, int, int, float]]:
    """State, choice, pair, successor, probability."""
    for state in range(mdp.n_states):
        first = int(mdp.offsets[state])
        for pair in range(first, int(mdp.offsets[state + 1])):
            for target, probability in _successors(mdp, state, pair):
                yield state, pair - first, pair, target, probability


def _transition_lines(mdp: MDP) -> Iterator[str]:
    words = _action_words(mdp)
    for state, choice, pair, target, probability in _rows(mdp):
        name = "" if mdp.action_names is None else f" {words[mdp.actions[pair]]}"
        yield f"{state} {choice} {target} {probability!r}{name}\n"


def _reward_lines(mdp: MDP, component: np.ndarray) -> Iterator[str]:
    for state, choice, pair, target, _ in _rows(mdp):
        if component[pair] != 0.0:
            yield f"{state} {choice} {target} {float(component[pair])!r}\n"


def _label_text(mdp: MDP) -> str:
    marked = [(state, _labels(mdp, state)) for state in range(mdp.n_states)]
    rows = "".join(f"{state} {' '.join(labels)}\n" for state, labels in marked if labels)
    return f"#DECLARATION\ninit {TERMINAL_LABEL}\n#END\n{rows}"
