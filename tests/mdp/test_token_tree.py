import numpy as np
import pytest
from core_oracles import brute_force

from policycliff import optimal_actions, solve, token_tree
from policycliff.errors import InvalidInputError


def test_states_are_prefixes_and_values_are_best_rewards():
    tree = token_tree(["ab", "ac", "d"], [1.0, 0.5, 2.0])
    values = dict(zip(tree.state_names, solve(tree).values, strict=True))
    assert values == {"<end>": 0.0, "": 2.0, "a": 1.0, "a b": 1.0, "a c": 0.5, "d": 2.0}
    assert tree.gamma == 1.0
    assert tree.is_acyclic


def test_each_prompt_has_its_root():
    tree = token_tree([["x"], ["y"], ["x"]], [1.0, 0.0, 3.0], prompts=["p", "p", "q"])
    assert tree.initial.tolist() == pytest.approx([0.0, 0.5, 0.0, 0.0, 0.5, 0.0])
    assert solve(tree).values[tree.initial > 0].tolist() == [1.0, 3.0]
    assert tree.state_names[1] == "p: "


def test_a_completion_may_be_a_prefix_of_another_and_may_be_empty():
    tree = token_tree(["a", "ab", ""], [1.0, 0.0, 2.0])
    actions = optimal_actions(solve(tree))
    root = tree.state_names.index("")
    chosen = [tree.action_names[tree.actions[pair]] for pair in actions.pairs(root)]
    assert chosen == ["<end>"]


def test_step_rewards_are_paid_on_the_way():
    with_end = token_tree(["ab"], [[1.0, 2.0, 4.0]])
    without_end = token_tree(["ab"], [[1.0, 2.0]])
    assert solve(with_end).values.max() == 7.0
    assert solve(without_end).values.max() == 3.0


def test_the_discount_makes_shorter_answers_better():
    tree = token_tree(["a", "bc"], [1.0, 1.0], gamma=0.5)
    assert solve(tree).values[1] == 0.5
    tied = optimal_actions(solve(token_tree(["a", "bc"], [1.0, 1.0])))
    assert tied.status[1] == "tied"


def test_merging_makes_a_graph():
    sequences = [["a", "b", "x"], ["b", "a", "x"], ["a", "b", "y"]]
    merged = token_tree(sequences, [1.0, 1.0, 0.0], merge=lambda _, prefix: tuple(sorted(prefix)))
    tree = token_tree(sequences, [1.0, 1.0, 0.0])
    assert merged.n_states < tree.n_states
    values, _ = brute_force(merged)
    assert float(values[1]) == 1.0
    assert optimal_actions(solve(merged)).counts[1] == 2


def test_equal_sequences_need_equal_rewards_or_a_rule():
    with pytest.raises(InvalidInputError, match=r"rewards from 0\.0 to 1\.0"):
        token_tree(["a", "a"], [0.0, 1.0])
    assert solve(token_tree(["a", "a"], [0.0, 1.0], conflict="mean")).values.max() == 0.5
    assert token_tree(["a", "a"], [0.1, 0.1]).n_pairs == 3


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], []), {}, "0 sequences"),
        ((["a"], []), {}, "0 rewards"),
        ((["a"], [1.0]), {"prompts": []}, "0 prompts"),
        ((["a"], [np.nan]), {}, "sequence 0"),
        ((["ab"], [[1.0]]), {}, "2 step rewards"),
        ((["a"], ["x"]), {}, "sequence 0"),
        ((["a"], [1.0]), {"conflict": "first"}, "conflict"),
        ((["aa"], [1.0]), {"merge": lambda *_: "same"}, "cycle"),
        ((["abx", "bax"], [1.0, 1.0]), {"merge": lambda _, p: len(p) if len(p) < 2 else p}, None),
        ((["abx", "cby"], [1.0, 1.0]), {"merge": lambda _, p: len(p) if len(p) < 2 else p}, "two successors"),
    ],
)
def test_bad_trees_are_refused(arguments, options, message):
    if message is None:
        assert token_tree(*arguments, **options).is_acyclic
        return
    with pytest.raises(InvalidInputError, match=message):
        token_tree(*arguments, **options)


def test_names_are_distinct_and_optional():
    tree = token_tree([["a", "b"], ["a b"]], [1.0, 0.0])
    assert len(set(tree.state_names)) == tree.n_states
    assert token_tree(["ab"], [1.0], named=False).state_names is None
