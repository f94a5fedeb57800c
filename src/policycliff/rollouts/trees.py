"""Trees of figures: how those of two parts of a table become one, and what is computed at the end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from policycliff.rollouts.leaves import After, Figure, Leaf, Nothing


def merge(first: Any, second: Any) -> Any:
    """The trees of two parts as one.

    >>> from policycliff.rollouts.leaves import total
    >>> merge({"prompts": total(2)}, {"prompts": total(3)})["prompts"].state
    5

    Raises:
        ValueError: The trees differ in form: an analysis let a part's own numbers into it.
    """
    if isinstance(first, Nothing):
        return second
    if isinstance(second, Nothing):
        return first
    if isinstance(first, Mapping):
        if not isinstance(second, Mapping) or first.keys() != second.keys():
            raise _differ(first, second)
        return {key: merge(child, second[key]) for key, child in first.items()}
    if isinstance(first, list | tuple):
        if not isinstance(second, list | tuple) or len(first) != len(second):
            raise _differ(first, second)
        return [merge(*pair) for pair in zip(first, second, strict=True)]
    if isinstance(first, After) and isinstance(second, After):
        return After(first.function, merge(first.tree, second.tree))
    return _merged_leaf(first, second)


def _merged_leaf(first: Any, second: Any) -> Any:
    if isinstance(first, Leaf) and isinstance(second, type(first)):
        return first.plus(second)
    if type(first) is not type(second) or first != second:
        raise _differ(first, second)
    return first


def mapped(tree: Any, function: Callable[[Any], Any]) -> Any:
    """The tree with a function applied to everything that is no branch."""
    if isinstance(tree, Mapping):
        return {key: mapped(child, function) for key, child in tree.items()}
    if isinstance(tree, list | tuple):
        return [mapped(child, function) for child in tree]
    if isinstance(tree, After | Nothing):
        return replace(tree, tree=mapped(tree.tree, function))
    return function(tree)


def computed(tree: Any) -> Any:
    """The tree with what is computed from finished figures, the innermost first."""
    if isinstance(tree, After):
        return tree.function(computed(tree.tree))
    if isinstance(tree, Nothing):
        return computed(tree.tree)
    if isinstance(tree, Mapping):
        return {key: computed(child) for key, child in tree.items()}
    return [computed(child) for child in tree] if isinstance(tree, list) else tree


def finished_figures(tree: Any) -> Any:
    """A tree without shares and means as JSON types."""
    return computed(mapped(tree, lambda leaf: leaf.finished() if isinstance(leaf, Figure) else leaf))


def leaves_of(tree: Any) -> Iterator[Any]:
    """Everything that is no branch, in order."""
    if isinstance(tree, After | Nothing):
        yield from leaves_of(tree.tree)
    elif isinstance(tree, Mapping | list | tuple):
        for child in tree.values() if isinstance(tree, Mapping) else tree:
            yield from leaves_of(child)
    else:
        yield tree


def _differ(first: Any, second: Any) -> ValueError:
    return ValueError(f"two parts of a table differ: {first!r} and {second!r}.")
