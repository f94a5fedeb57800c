"""Five published multi-objective MDPs load, and every method solves them alike (see tests/data/NOTICE.md)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from core_oracles import linear_program

from policycliff import MDP, effective_reward, optimal_actions, solve, stability_radius

DATA = Path(__file__).parent.parent / "data"
SIZES = {
    "deep_sea_treasure_convex": (72, 10),
    "resource_gathering": (105, 12),
    "breakable_bottles": (181, 8),
    "fruit_tree_5": (63, 32),
    "fruit_tree_6": (127, 64),
}


def load(name, gamma):
    """The MDP under its first reward, and all components over its pairs."""
    rows = pl.read_parquet(DATA / "momdp_transitions.parquet").filter(pl.col("mdp") == name)
    states = pl.read_parquet(DATA / "momdp_states.parquet").filter(pl.col("mdp") == name).sort("state")
    names = rows["action"].unique().sort()
    rows = rows.with_columns(label=rows["action"].replace_strict(names, range(len(names)))).sort("state", "label")
    pairs = rows.select("state", "label").unique(maintain_order=True).with_row_index("pair")
    rows = rows.join(pairs, on=["state", "label"], maintain_order="left")
    kernel = sp.coo_array(
        (rows["probability"], (rows["pair"], rows["next_state"])), shape=(pairs.height, states.height)
    ).tocsr()
    rewards = [
        np.bincount(rows["pair"], rows["probability"] * rows[column])
        for column in rows.columns
        if column.startswith("reward_") and rows[column].null_count() == 0
    ]
    mdp = MDP.from_pairs(
        pairs["state"].to_numpy(),
        kernel,
        rewards[0],
        gamma,
        actions=pairs["label"].to_numpy(),
        terminal=states["terminal"].to_numpy(),
        initial=states["initial_probability"].to_numpy(),
        action_names=names.to_list(),
    )
    inner = ~mdp.terminal[mdp.pair_states]
    components = np.zeros((len(rewards), mdp.n_pairs))
    components[:, inner] = rewards
    return mdp, components


@pytest.mark.parametrize("name", SIZES)
def test_every_method_agrees(name):
    mdp, components = load(name, 0.95)
    assert (mdp.n_states, int(mdp.terminal.sum())) == SIZES[name]
    mixed = mdp.with_rewards(effective_reward(components, np.full(len(components), 1.0 / len(components))))
    for world in (mdp, mixed):
        reference = linear_program(world)
        methods = ["value_iteration", "policy_iteration", "modified_policy_iteration", "auto"]
        solutions = [solve(world, method=method) for method in methods]
        for solution in solutions:
            assert solution.error_bound <= 1e-10
            np.testing.assert_allclose(solution.values, reference, atol=1e-6)
            np.testing.assert_allclose(solution.q_values, solutions[0].q_values, rtol=0, atol=2e-10)


@pytest.mark.parametrize("name", ["fruit_tree_5", "fruit_tree_6"])
def test_fruit_trees_need_no_discount(name):
    mdp, components = load(name, 1.0)
    solution = solve(mdp)
    assert solution.method == "backward"
    leaves = components[0][np.isin(mdp.pair_states, np.flatnonzero(~mdp.terminal))]
    assert solution.values.max() <= leaves.sum()
    assert optimal_actions(solution).counts.min() == 1


@pytest.mark.parametrize("name", SIZES)
def test_radius_is_computed_or_the_tie_is_reported(name):
    mdp, _ = load(name, 0.95)
    result = stability_radius(mdp)
    assert result.status in {"exact", "tied", "unresolved"}
    assert result.bracket[0] <= result.radius <= result.bracket[1]
