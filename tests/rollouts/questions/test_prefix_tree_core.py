"""`prefix-tree` against the exact core: the same trees as MDPs, solved; step rewards; merged states by enumeration."""

import random
from collections import defaultdict
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

import policycliff
from policycliff.mdp.tree import END
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.questions.prefix_tree.figures import quotient_figures
from policycliff.rollouts.questions.prefix_tree.question import prefix_tree
from policycliff.rollouts.questions.prefix_tree.quotient import keys_of, quotient_of
from policycliff.rollouts.questions.prefix_tree.step_rewards import returns_of, step_radii_of, step_rewards_of
from policycliff.rollouts.questions.prefix_tree.traces import Pieces, traces_of
from policycliff.rollouts.questions.prefix_tree.tree import prefix_tree_of, sorted_traces
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import column_reward

KINDS = [("outcome", seed) for seed in range(12)] + [("steps", seed) for seed in range(12)]
KINDS += [("steps and end", seed) for seed in range(12)]


def one_prompt(seed, *, kind="outcome", repeats=False):
    """Distinct sequences of one prompt (or some twice) with rewards in quarters: exact in floating point."""
    rng = random.Random(seed)
    sequences = list(
        dict.fromkeys(tuple(rng.randrange(2 + seed % 2) for _ in range(rng.randrange(6))) for _ in range(8))
    )
    sequences += rng.sample(sequences, 2) if repeats else []
    extra = {"outcome": None, "steps": 0, "steps and end": 1}[kind]
    edge = defaultdict(lambda: rng.randrange(-4, 5) / 4)
    rewards = [
        rng.randrange(5) / 4 if extra is None else [edge[s[: i + 1], i == len(s)] for i in range(len(s) + extra)]
        for s in sequences
    ]
    return sequences, rewards


def frame_of(sequences, rewards, *, kind="outcome"):
    frame = pl.DataFrame(
        {"prompt": ["p"] * len(sequences), "ids": [list(s) for s in sequences]},
        schema_overrides={"ids": pl.List(pl.Int64)},
    )
    if kind == "outcome":
        return frame.with_columns(reward=pl.Series(rewards, dtype=pl.Float64))
    return frame.with_columns(reward=pl.lit(0.0), paid=pl.Series(rewards, dtype=pl.List(pl.Float64)))


def tree_of(frame, *, kind="outcome"):
    loaded = load_rollouts(frame, settings_from_options({"rewards": ["reward"]}))
    traces = traces_of(loaded.table, Pieces(tokens="ids"), {"tokens": frame["ids"]})
    reward, paid = column_reward("reward", loaded.table.rewards[0].scores), None
    rows = sorted_traces(loaded.table, traces, reward.usable)
    if kind != "outcome":
        paid = step_rewards_of(loaded.table, frame["paid"], traces)
        reward, _ = returns_of(loaded.table, rows, paid)
    return loaded, traces, prefix_tree_of(rows, reward), reward, paid


def ends_of(mdp):
    """Mask of the pairs that end a sequence."""
    end = mdp.action_names.index(END)
    return np.asarray(mdp.actions) == end


@pytest.mark.parametrize(("kind", "seed"), KINDS)
def test_tree_is_the_mdp_of_the_core(kind, seed):
    sequences, rewards = one_prompt(seed, kind=kind)
    mdp = policycliff.token_tree(sequences, rewards)
    solution = policycliff.solve(mdp)
    optimal = policycliff.optimal_actions(solution)
    loaded, _, tree, _, paid = tree_of(frame_of(sequences, rewards, kind=kind), kind=kind)
    order = [sequences[i] for i in loaded.table.row_index[tree.scored.layout.rows]]
    root = mdp.state_names.index("")
    assert tree.scored.best_value[0] == pytest.approx(solution.values[root])
    assert len(mdp.state_names) - 1 == len({s[:k] for s in sequences for k in range(len(s) + 1)})
    returns = [r if kind == "outcome" else sum(r) for r in rewards]
    so_far = lambda s, k: 0.0 if kind == "outcome" else sum(rewards[sequences.index(s)][:k])  # noqa: E731
    assert dict(zip(order, tree.scored.values, strict=True)) == dict(zip(sequences, returns, strict=True))
    nodes = tree.nodes
    for k in range(len(nodes.depth)):
        trace = order[nodes.first[k]]
        prefix = trace[: nodes.depth[k]]
        state = mdp.state_names.index(" ".join(map(str, prefix)))
        assert nodes.best[k] == pytest.approx(solution.values[state] + so_far(trace, len(prefix)))
        assert nodes.best_actions[k] == optimal.counts[state]
    if not tree.scored.is_unique[0]:
        return
    if kind == "outcome":
        core = policycliff.stability_radius(mdp, mask=ends_of(mdp), reachable_only=True)
        assert 0.5 * tree.scored.gap[0] == pytest.approx(core.radius)
    else:
        mask = None if kind == "steps and end" else ~ends_of(mdp)
        core = policycliff.stability_radius(mdp, mask=mask, reachable_only=True)
        assert step_radii_of(tree, with_end=paid.with_end)[0] == pytest.approx(core.radius)


@pytest.mark.parametrize("seed", range(10))
def test_disputed_steps_count_with_their_mean(seed):
    rng = random.Random(seed)
    sequences, _ = one_prompt(seed, repeats=True)
    rewards = [[rng.randrange(-9, 10) / 10 for _ in range(len(s) + 1)] for s in sequences]
    frame = frame_of(sequences, rewards, kind="steps and end")
    loaded, _, tree, _, _ = tree_of(frame, kind="steps and end")
    paid = defaultdict(list)
    for s, r in zip(sequences, rewards, strict=True):
        for k in range(len(s) + 1):
            paid[s[: k + 1], k == len(s)].append(Fraction(str(r[k])))
    mean = {step: sum(found) / len(found) for step, found in paid.items()}
    value = {s: sum(mean[s[: k + 1], k == len(s)] for k in range(len(s) + 1)) for s in sequences}
    order = [sequences[i] for i in loaded.table.row_index[tree.scored.layout.rows]]
    traces = [order[i] for i in tree.scored.layout.draw_offsets[:-1]]
    assert dict(zip(traces, tree.scored.values, strict=True)) == pytest.approx({s: float(v) for s, v in value.items()})
    assert {s for s, b in zip(traces, tree.scored.best, strict=True) if b} == {
        s for s, v in value.items() if v == max(value.values())
    }
    figures = prefix_tree(frame, tokens="ids", step_rewards="paid", rewards=["reward"]).to_dict()["figures"]["steps"]
    assert figures["disputed_steps"] == sum(len(set(found)) > 1 for found in paid.values())
    core = policycliff.token_tree(sequences, rewards, conflict="mean")
    if tree.scored.is_unique[0]:
        assert figures["radius_min"] == pytest.approx(policycliff.stability_radius(core, reachable_only=True).radius)


def test_sums_that_only_fractions_can_tie():
    # 0.1 + 0.2 + 0.3 is 0.6 in decimals, but not in floating point; a third of a cent keeps whole numbers away.
    rewards = [[0.1, 0.2, 0.3], [0.6, 0.0, 0.0], [0.0, 0.0, 1 / 3]]
    frame = frame_of([(1, 1, 1), (2, 1, 1), (3, 1, 1)], rewards, kind="steps")
    figures = prefix_tree(frame, tokens="ids", step_rewards="paid", rewards=["reward"]).to_dict()["figures"]["tree"]
    assert sum([0.1, 0.2, 0.3]) != 0.6
    assert figures["several_share"]["value"] == 1.0


def bag(prefix):
    """A key that forgets the order: merges without cycles, and what comes next depends on nothing else."""
    return tuple(sorted(prefix))


def merged_of(sequences, rewards, key):
    frame = frame_of(sequences, rewards)
    keys = [[str(key(s[: k + 1])) for k in range(len(s))] for s in sequences]
    frame = frame.with_columns(keys=pl.Series(keys, dtype=pl.List(pl.String)))
    loaded, traces, tree, reward, _ = tree_of(frame)
    merged = keys_of(loaded.table, frame["keys"], traces)
    return frame, tree, quotient_of(tree, traces, merged, reward)


@pytest.mark.parametrize("seed", range(15))
def test_quotient_is_the_merged_mdp_of_the_core(seed):
    sequences, rewards = one_prompt(seed, repeats=True)
    _, _, quotient = merged_of(sequences, rewards, bag)
    mdp = policycliff.token_tree(sequences, rewards, merge=lambda _, prefix: bag(prefix), conflict="mean")
    solution = policycliff.solve(mdp)
    optimal = policycliff.optimal_actions(solution)
    assert quotient.scored.best_value[0] == pytest.approx(solution.values[1])
    # The core has a terminal state besides; state names are first prefixes, so values are compared as a multiset.
    assert len(quotient.prompt) == mdp.n_states - 1
    assert sorted(quotient.best) == pytest.approx(sorted(solution.values[1:]))
    assert sorted(quotient.best_actions) == sorted(optimal.counts[1:])
    assert (quotient.ambiguous, quotient.cyclic.any()) == (0, False)
    ways = enumerate_ways(sequences, rewards, bag)
    assert np.exp(quotient.log_traces[0]) == pytest.approx(len(ways["best"]))
    assert int(quotient.disputed.sum()) == ways["disputed"]
    assert int(quotient.deciding.sum()) == ways["decisions"]
    assert int(quotient.parting.sum()) == ways["partings"]


def enumerate_ways(sequences, rewards, key):
    """All ways through the merged states, one by one."""
    following, paid, traces = defaultdict(set), defaultdict(list), defaultdict(lambda: defaultdict(list))
    for s, r in zip(sequences, rewards, strict=True):
        for k in range(len(s)):
            following[key(s[:k])].add(key(s[: k + 1]))
        paid[key(s)].append(Fraction(r))
        traces[key(s)][s].append(Fraction(r))
    end = {state: sum(found) / len(found) for state, found in paid.items()}

    def ways(state):
        here = [((state,), end[state])] if state in end else []
        return here + [((state, *way), v) for after in following[state] for way, v in ways(after)]

    found = ways(key(()))
    best = max(v for _, v in found)
    states = {state for way, v in found if v == best for state in way}

    def actions(state):
        own = [end[state]] if state in end else []
        return own + [max(v for _, v in ways(after)) for after in following[state]]

    means = {state: {sum(r) / len(r) for r in of_state.values()} for state, of_state in traces.items()}
    return {
        "best": {way for way, v in found if v == best},
        "disputed": sum(len(values) > 1 for values in means.values()),
        "decisions": sum(min(actions(state)) < best for state in states),
        "partings": sum(actions(state).count(best) > 1 for state in states),
    }


def test_merging_resolves_ties_of_wording():
    sequences, rewards = [(1, 2), (2, 1), (1, 1)], [1.0, 1.0, 0.25]
    frame, tree, quotient = merged_of(sequences, rewards, bag)
    assert tree.scored.tied_size[0] == 2
    assert quotient.scored.tied_size[0] == 1
    figures = prefix_tree(frame, tokens="ids", merge="keys", rewards=["reward"]).to_dict()["figures"]["quotient"]
    assert figures["only_within_one_state_share"]["value"] == 1.0
    assert figures["optimal_ways_median"] == pytest.approx(2.0)
    assert figures["radius_unique_quantiles"]["p50"] == pytest.approx(0.375)
    assert (figures["shared_ends"], figures["disputed_ends"]) == (1, 0)
    assert quotient_figures(tree, quotient)["states"] == 5


def test_what_a_key_forgets_is_counted():
    # One key for all: the only final state has rewards that disagree. From "s", piece 1 leads to "a" and to "b".
    frame = pl.DataFrame({"prompt": ["p"] * 2, "ids": [[0, 1], [9, 1]], "keys": [["s", "a"], ["s", "b"]],
                          "reward": [1.0, 0.0]})  # fmt: skip
    options = {"tokens": "ids", "merge": "keys", "rewards": ["reward"]}
    found = prefix_tree(frame, **options).to_dict()["figures"]["quotient"]
    assert (found["ambiguous_steps"], found["steps"], found["disputed_ends"]) == (1, 3, 0)
    same = frame.with_columns(keys=pl.Series([["s", "s"], ["s", "s"]]))
    answer = prefix_tree(same, **options)
    found = answer.to_dict()["figures"]["quotient"]
    # Staying in a state is no step, so nothing is cyclic.
    assert (found["disputed_ends"], found["shared_ends"], found["cyclic_prompts"], found["states"]) == (1, 1, 0, 2)
    assert any("rewards disagree" in item["text"] for item in answer.findings)
    round_trip = frame.with_columns(ids=pl.Series([[0, 1, 2], [9, 1, 2]]),
                                    keys=pl.Series([["s", "a", "s"], ["s", "b", "c"]]))  # fmt: skip
    answer = prefix_tree(round_trip, **options)
    found = answer.to_dict()["figures"]["quotient"]
    assert (found["cyclic_prompts"], found["optimal_ways_median"], found["partings"]["value"]) == (1, None, None)
    assert found["radius_unique_quantiles"]["p50"] == 0.5
    assert any("keys return to an earlier state" in item["text"] for item in answer.findings)


def test_keys_as_prefixes_give_the_tree_back():
    sequences, rewards = one_prompt(3, repeats=True)
    _, tree, quotient = merged_of(sequences, rewards, lambda prefix: prefix)
    assert np.array_equal(quotient.scored.tied_size, tree.scored.tied_size)
    assert np.exp(quotient.log_traces[0]) == pytest.approx(tree.scored.tied_size[0])
    deciding = tree.on_best & np.isfinite(tree.nodes.worse)
    assert int(quotient.deciding.sum()) == int(deciding.sum())
    assert int(quotient.disputed.sum()) == 0
