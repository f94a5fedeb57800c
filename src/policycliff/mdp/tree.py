"""The language-model MDP of section 3.1 as a tree: the state is the prefix, the action the next token.

Every sequence is a path from the root of its prompt; after its last token it takes the action "end" into the one
terminal state. Rewards are given a sequence (outcome rewards, paid by "end") or a step (process rewards). With `merge`,
prefixes of equal key become one state and the tree a directed acyclic graph.

Assumptions. Transitions are deterministic; the tree holds only what was sampled, so its optimum is the best of the
samples. gamma = 1 is allowed: the MDP is acyclic. Cost: O(tokens) time, O(nodes) memory, and O(nodes * depth)
characters for state names unless `named` is False.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.errors import InvalidInputError
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP

END = "<end>"
_DONE = 0
Merge = Callable[[Hashable, tuple[Hashable, ...]], Hashable]


@dataclass(slots=True)
class _Graph:
    """Nodes by key; at each node its children and rewards by token, and how it was first reached.

    Node 0 is the terminal state that END leads to.
    """

    keys: dict[Hashable, int] = field(default_factory=dict)
    origins: list[tuple[int, Hashable]] = field(default_factory=lambda: [(-1, END)])
    children: list[dict[Hashable, int]] = field(default_factory=lambda: [{}])
    paid: list[dict[Hashable, list[float]]] = field(default_factory=lambda: [{}])

    def node(self, key: Hashable, parent: int, token: Hashable) -> int:
        """The node with this key, made on first sight; a root has parent -1 and its prompt as token."""
        if key not in self.keys:
            self.keys[key] = len(self.children)
            self.origins.append((parent, token))
            self.children.append({})
            self.paid.append({})
        return self.keys[key]

    def prefix(self, node: int) -> tuple[Hashable, list[Hashable]]:
        """Prompt and tokens on the way on which the node was first reached."""
        tokens = []
        parent, token = self.origins[node]
        while parent >= 0:
            tokens.append(token)
            parent, token = self.origins[parent]
        return token, tokens[::-1]

    def step(self, node: int, token: Hashable, child: int, reward: float) -> None:
        """Add the edge node -> child and note the reward; an edge may not lead to two places."""
        known = self.children[node].setdefault(token, child)
        if known != child:
            raise fail(
                got=f"two successors of token {token!r} after {self.prefix(node)[1]!r}",
                expected="merged prefixes that continue to the same state",
                remedy="Let `merge` tell prefixes apart whose continuations differ.",
            )
        self.paid[node].setdefault(token, []).append(reward)


def token_tree(
    sequences: Iterable[Sequence[Hashable]],
    rewards: Sequence[Any] | np.ndarray,
    *,
    gamma: float = 1.0,
    prompts: Iterable[Hashable] | None = None,
    merge: Merge | None = None,
    conflict: str = "error",
    named: bool = True,
) -> MDP:
    """A deterministic MDP from token sequences with rewards (section 3.1).

    Args:
        sequences: the completions; each a sequence of hashable tokens (a string is a sequence of characters).
        rewards: one entry a sequence: a number, paid at its end, or its steps' rewards, one for each token and
            optionally one more for the end.
        gamma: discount in [0, 1]; 1 by default, as language models are trained.
        prompts: the prompt of each sequence; each prompt has its own root. By default all share one.
        merge: maps (prompt, prefix) to a key; prefixes of equal key are one state. By default all differ.
        conflict: what to do when sequences give one step different rewards (equal sequences do, with a noisy scorer):
            "error" or "mean".
        named: whether states get their prefix as name.

    Returns:
        The MDP. State 0 is terminal; the initial distribution is uniform over prompts.

    Raises:
        InvalidInputError: no sequences, lengths that do not match, conflicting rewards, or a merge that makes a cycle
            or an ambiguous step.

    Example:
        >>> tree = token_tree(["ab", "ac"], [1.0, 0.0])
        >>> tree
        MDP(5 states, 6 pairs, 5 nonzeros, gamma=1, rewards 0 to 1, 1 terminal, acyclic)
        >>> tree.state_names
        ('<end>', '', 'a', 'a b', 'a c')
    """
    if conflict not in {"error", "mean"}:
        raise fail(got=f"conflict = {conflict!r}", expected="'error' or 'mean'", remedy="Choose one.")
    listed = [tuple(sequence) for sequence in sequences]
    owners: list[Hashable] = [None] * len(listed) if prompts is None else list(prompts)
    if not listed or len(rewards) != len(listed) or len(owners) != len(listed):
        raise fail(
            got=f"{len(listed)} sequences, {len(rewards)} rewards and {len(owners)} prompts",
            expected="at least one sequence, and as many rewards and prompts as sequences",
            remedy="Check the lengths.",
        )
    graph, roots = _grow(listed, owners, rewards, merge)
    return _to_mdp(graph, roots, gamma=gamma, conflict=conflict, named=named)


def _grow(
    sequences: list[tuple[Hashable, ...]],
    owners: list[Hashable],
    rewards: Sequence[Any] | np.ndarray,
    merge: Merge | None,
) -> tuple[_Graph, list[int]]:
    """Insert all sequences; also the root of each prompt."""
    graph, roots = _Graph(), dict[Hashable, int]()
    for index, (tokens, prompt) in enumerate(zip(sequences, owners, strict=True)):
        steps = _step_rewards(rewards[index], len(tokens), index)
        key = ("root", prompt) if merge is None else merge(prompt, ())
        node = graph.node(key, -1, prompt)
        roots.setdefault(prompt, node)
        for depth, token in enumerate(tokens):
            key = (node, token) if merge is None else merge(prompt, tokens[: depth + 1])
            child = graph.node(key, node, token)
            graph.step(node, token, child, steps[depth])
            node = child
        graph.step(node, END, _DONE, steps[-1])
    return graph, list(roots.values())


def _step_rewards(reward: Any, length: int, index: int) -> list[float]:
    """Rewards of the tokens and of the end."""
    try:
        values = np.asarray(reward, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"Got a reward that is no number for sequence {index}: {error}.") from error
    if not np.isfinite(values).all():
        raise fail(
            got=f"the reward {reward!r} of sequence {index}", expected="finite numbers", remedy="Drop the sequence."
        )
    if values.ndim == 0:
        return [0.0] * length + [float(values)]
    if values.shape == (length,):
        return [*values.tolist(), 0.0]
    if values.shape == (length + 1,):
        return list(values.tolist())
    raise fail(
        got=f"rewards of shape {values.shape} for sequence {index} of {length} tokens",
        expected=f"a number, {length} step rewards, or {length + 1} with one for the end",
        remedy="Check that rewards and sequences are aligned.",
    )


def _edge_reward(graph: _Graph, node: int, token: Hashable, conflict: str) -> float:
    """The one reward of an edge, or the mean of several."""
    paid = graph.paid[node][token]
    if min(paid) == max(paid):
        return paid[0]
    if conflict == "error":
        raise fail(
            got=f"rewards from {min(paid)} to {max(paid)} for token {token!r} after {graph.prefix(node)[1]!r}",
            expected="one reward a step",
            remedy="Pass conflict='mean' to average them, or remove repeated sequences.",
        )
    return float(np.mean(paid))


def _to_mdp(graph: _Graph, roots: list[int], *, gamma: float, conflict: str, named: bool) -> MDP:
    """The graph in the native layout."""
    edges = [(node, token, child) for node, children in enumerate(graph.children) for token, child in children.items()]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(token for _, token, _ in edges))}
    n_pairs, n_states = len(edges), len(graph.children)
    targets = [child for _, _, child in edges]
    kernel = sp.csr_array((np.ones(n_pairs), targets, np.arange(n_pairs + 1)), shape=(n_pairs, n_states))
    initial = np.zeros(n_states)
    np.add.at(initial, roots, 1.0 / len(roots))
    return MDP.from_pairs(
        [node for node, _, _ in edges],
        kernel,
        [_edge_reward(graph, node, token, conflict) for node, token, _ in edges],
        gamma,
        actions=[vocabulary[token] for _, token, _ in edges],
        terminal=np.arange(n_states) == _DONE,
        initial=initial,
        state_names=_state_names(graph) if named else None,
        action_names=_distinct([str(token) for token in vocabulary]),
    )


def _state_names(graph: _Graph) -> list[str]:
    """Prompt and prefix in words, made distinct where different prefixes read alike."""
    names = [END]
    for node in range(1, len(graph.children)):
        prompt, tokens = graph.prefix(node)
        text = " ".join(str(token) for token in tokens)
        names.append(text if prompt is None else f"{prompt}: {text}")
    return _distinct(names)


def _distinct(names: list[str]) -> list[str]:
    """The names, with #2, #3, ... behind repetitions."""
    used: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate in used:
            count += 1
            candidate = f"{name}#{count}"
        used.add(candidate)
        result.append(candidate)
    return result
