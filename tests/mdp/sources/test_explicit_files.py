"""Files of Storm and PRISM, and our own with several rewards: round trips, against stormpy, and what is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from core_oracles import random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, read_source, token_tree, write_source
from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.mdp.sources.source import MDPSource, plain_source, with_components

TABLES = Path(__file__).parents[2] / "data" / "momdp_transitions.parquet"
FIELDS = ("offsets", "actions", "indptr", "successors", "probabilities", "terminal", "initial")


def same(first: MDPSource, second: MDPSource, *, ordered: bool = True) -> None:
    for name in FIELDS:
        a, b = getattr(first.mdp, name), getattr(second.mdp, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=name)
    order = [second.reward_names.index(name) for name in first.reward_names]
    np.testing.assert_array_equal(first.rewards, second.rewards[order])
    assert first.mdp.state_names == second.mdp.state_names
    if ordered:
        np.testing.assert_array_equal(first.weights, second.weights)
        np.testing.assert_array_equal(first.mdp.rewards, second.mdp.rewards)


def several(recipe, names, *, uniform=False):
    mdp = random_mdp(**recipe)
    start = np.full(mdp.n_states, 1.0 / mdp.n_states) if uniform else mdp.initial
    # Actions numbered from 0 in each state, as explicit files do.
    first = np.asarray(mdp.offsets[:-1])[mdp.pair_states]
    mdp = MDP.from_pairs(
        mdp.pair_states, mdp.transitions, mdp.rewards, mdp.gamma, actions=np.arange(mdp.n_pairs) - first,
        terminal=mdp.terminal, initial=start,
        state_names=[f'cell {i} "é"' for i in range(mdp.n_states)] if names else None,
    )  # fmt: skip
    other = np.where(mdp.terminal[mdp.pair_states], 0.0, np.random.default_rng(1).normal(size=mdp.n_pairs))
    return with_components(
        plain_source(mdp), np.stack([mdp.rewards, other]), reward_names=("a", "b"), weights=[0.25, 0.75]
    )


@pytest.mark.parametrize("ending", [".npz", ".json", ".drn", ".tra"])
@given(recipe=recipes(gammas=(0.0, 0.9, 0.1 + 0.2), max_states=5), names=st.booleans())
@settings(max_examples=25, deadline=None)
def test_round_trip(tmp_path_factory, ending, recipe, names):
    # A .tra can only say which states are first.
    source = several(recipe, names, uniform=ending == ".tra")
    place = tmp_path_factory.mktemp("files") / f"model{ending}"
    written = write_source(source, place)
    assert place in written
    gamma = source.mdp.gamma if ending == ".tra" else None
    back = read_source(place, gamma=gamma)
    same(source, back, ordered=ending in {".npz", ".json"})
    assert back.mdp.gamma == source.mdp.gamma


@pytest.mark.parametrize("ending", [".npz", ".json", ".drn", ".tra"])
def test_round_trips_of_trees_and_published_models(tmp_path, ending):
    tree = plain_source(token_tree(["ab", "ac", "b"], [1.0, 0.5, 0.0]))
    write_source(tree.mdp, tmp_path / f"tree{ending}")
    same(tree, read_source(tmp_path / f"tree{ending}", gamma=1.0))
    treasure = read_source(f"{TABLES}:resource_gathering", gamma=0.95)
    write_source(treasure, tmp_path / f"t{ending}")
    same(treasure, read_source(tmp_path / f"t{ending}", gamma=0.95), ordered=ending in {".npz", ".json"})


@pytest.mark.parametrize("ending", [".drn", ".tra"])
@pytest.mark.parametrize("name", ["resource_gathering", "random"])
def test_storm_reads_what_we_write(tmp_path, ending, name):
    stormpy = pytest.importorskip("stormpy")
    recipe = {"seed": 3, "states": 6, "actions": 3, "terminals": 1, "branching": 2}
    source = several(recipe, names=False) if name == "random" else read_source(f"{TABLES}:{name}", gamma=0.9)
    place = tmp_path / f"model{ending}"
    if ending == ".tra":  # Storm's reader of .trew takes no negative rewards
        source = with_components(source, np.abs(source.rewards), reward_names=source.reward_names, weights=None)
    write_source(source, place)
    if ending == ".drn":
        model = stormpy.build_model_from_drn(str(place))
        rewards = [model.reward_models[reward].state_action_rewards for reward in source.reward_names]
    else:
        rewards = []
        for reward in source.reward_names:
            given = {"transition_rewards": str(tmp_path / f"model.{reward}.trew")}
            model = stormpy.build_model_from_explicit(str(place), str(tmp_path / "model.lab"), **given)
            only = next(iter(model.reward_models.values()))
            rewards.append(_storm_rewards(only, model.transition_matrix))
    mdp = source.mdp
    assert (model.nr_states, model.nr_choices) == (mdp.n_states, mdp.n_pairs)
    for k, paid in enumerate(rewards):
        np.testing.assert_allclose(np.array(list(paid)), source.rewards[k], rtol=0, atol=1e-12)
    kernel = mdp.transitions.toarray()
    for pair in range(mdp.n_pairs):
        state = int(mdp.pair_states[pair])
        row = {entry.column: _number(entry) for entry in model.transition_matrix.get_row(pair)}
        expected = (
            {state: 1.0} if mdp.terminal[state] else {int(t): kernel[pair, t] for t in np.flatnonzero(kernel[pair])}
        )
        assert row == pytest.approx(expected)


def _storm_rewards(reward_model, kernel):
    """Expected rewards of pairs, in whichever form Storm keeps them."""
    if reward_model.has_state_action_rewards:
        return list(reward_model.state_action_rewards)
    paid = reward_model.transition_rewards
    rows = []
    for row in range(kernel.nr_rows):
        shares = {entry.column: _number(entry) for entry in kernel.get_row(row)}
        rows.append(sum(shares[entry.column] * _number(entry) for entry in paid.get_row(row)))
    return rows


def test_we_read_what_storm_writes(tmp_path):
    stormpy = pytest.importorskip("stormpy")
    from stormpy.examples import files

    program = stormpy.parse_prism_program(files.prism_mdp_coin_2_2)
    model = stormpy.build_model(program)
    stormpy.io.export_to_drn(model, str(tmp_path / "coin.drn"))
    source = read_source(tmp_path / "coin.drn")
    assert (source.mdp.n_states, source.reward_names) == (model.nr_states, ("steps",))
    mdp = source.mdp
    pairs = iter(range(mdp.n_pairs))
    paid = list(model.reward_models["steps"].state_rewards)
    for state in range(model.nr_states):
        rows = range(*_rows_of(model, state))
        if mdp.terminal[state]:
            next(pairs)
            continue
        for row in rows:
            pair = next(pairs)
            assert mdp.rewards[pair] == paid[state]
            ours = dict(zip(*_row(mdp, pair), strict=True))
            assert ours == pytest.approx({e.column: _number(e) for e in model.transition_matrix.get_row(row)})


def _number(entry):
    """The number of a matrix entry: a method before stormpy 2."""
    return entry.value() if callable(entry.value) else entry.value


def _rows_of(model, state):
    matrix = model.transition_matrix
    return matrix.get_row_group_start(state), matrix.get_row_group_end(state)


def _row(mdp, pair):
    span = slice(int(mdp.indptr[pair]), int(mdp.indptr[pair + 1]))
    return mdp.successors[span].tolist(), mdp.probabilities[span].tolist()


PRISM = {
    "m.tra": "3 4 5\n0 0 1 0.5 go\n0 0 2 0.5 go\n0 1 0 1 stay\n1 0 1 1\n2 0 2 1\n",
    "m.lab": '0="init" 1="deadlock"\n0: 0\n2: 1\n',
    "m.sta": "(x,y)\n0:(0,0)\n1:(0,1)\n2:(1,0)\n",
    "m.srew": "3 2\n0 1\n1 0.25\n",
    "m.trew": "3 4 2\n0 0 1 4\n0 0 2 2\n",
}


def write(folder, contents):
    for name, text in contents.items():
        (folder / name).write_text(text)
    return folder / next(iter(contents))


def test_prism_files_by_hand(tmp_path):
    source = read_source(write(tmp_path, PRISM), gamma=0.5)
    mdp = source.mdp
    # State 1 earns 0.25 for ever: not terminal; state 2 earns nothing: terminal.
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.rewards.tolist() == [1.0 + 3.0, 1.0, 0.25, 0.0]
    assert (mdp.state_names, mdp.action_names) == (("x=0, y=0", "x=0, y=1", "x=1, y=0"), ("go", "stay", "choice 0"))
    assert mdp.initial.tolist() == [1.0, 0.0, 0.0]


DRN = (
    "@type: MDP\n@parameters\n\n@reward_models\nr\n@nr_states\n2\n@model\n"
    "state 0 [1] init\n\taction go [0.5]\n\t\t0 : 1/4\n\t\t1 : 0.75\nstate 1\n\taction 0\n\t\t1 : 1\n"
)


def test_drn_by_hand(tmp_path):
    source = read_source(write(tmp_path, {"m.drn": DRN}))
    assert source.mdp.rewards.tolist() == [1.5, 0.0]
    assert source.mdp.probabilities.tolist() == [0.25, 0.75]
    assert (source.mdp.gamma, source.mdp.terminal.tolist()) == (0.99, [False, True])
    assert any("0.99" in note for note in source.notes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.75", "0.5", r"m.drn, line 10: .*sum to 0.75"),
        ("0.75", "[0.5, 0.8]", r"line 12: .*interval"),
        ("0.75", "1-p", r"line 12: .*parametric"),
        ("0.75", "-0.75", r"line 12: .*above 0"),
        ("1 : 0.75", "0 : 0.75", r"successor 0 twice"),
        ("1 : 0.75", "7 : 0.75", r"line 12: .*successor '7'"),
        ("state 1", "state 0", r"line 13: .*state 0 a second time"),
        ("state 1", "state 2", r"line 13: .*'2'"),
        ("state 1\n\taction 0\n\t\t1 : 1\n", "", r"1 states; expected 2"),
        ("\taction 0\n\t\t1 : 1\n", "", "no choice for state 1"),
        ("\t\t1 : 1\n", "", r"sum to 0"),
        ("@model", "@modl", "no line `@model`"),
        ("MDP", "POMDP", "partially observable"),
        ("MDP", "CTMC", "continuous-time"),
        ("MDP", "MA", "Markov automaton"),
        ("MDP", "SMG", "stochastic game"),
        ("MDP", "WHAT", "no model type"),
        ("@parameters\n", "@parameters\np q", "parametric model"),
        ("MDP\n", "MDP\n@value_type: double-interval\n", "interval model"),
        ("r\n@nr", "\n@nr", "no reward model"),
        ("[0.5]", "[0.5, 1]", r"line 10: .*2 rewards"),
        ("[0.5]", "[x]", r"line 10: .*the reward 'x'"),
        ("[0.5]", "[inf]", r"finite"),
        ("[1] init", "!2 init", "a rate or an observation"),
        ("state 0 [1] init\n\taction go", "action go", "before the first state"),
        ("0 : 1/4", "0 1/4", r"line 11: Got '0 1/4'"),
        ("0 : 1/4", "0 : 1/0", "number"),
        ("state 1", "state " + "9" * 5000, r"m.drn, line 13: .*'9+'; expected a number from 0 to 1"),
        ("@type", '//policycliff {"gamma": {}}\n@type', r"m.drn, line 1: .*the discount"),
        ("@type", '//policycliff {"gamma": 2}\n@type', r"m.drn, line 1: .*in \[0, 1\]"),
        ("@type", '//policycliff {"action_names": 3}\n@type', r"m.drn, line 1: .*`action_names` 3"),
        ("@type", '//policycliff {"gamma": ' + "1" * 5000 + "}\n@type", r"m.drn, line 1: .*without JSON"),
        ("state 0", '//policycliff {"initial": 1}\nstate 0', r"m.drn, line 9: .*before the first state"),
    ],
)
def test_wrong_drn(tmp_path, old, new, message):
    assert old in DRN
    with pytest.raises(InvalidInputError, match=message):
        read_source(write(tmp_path, {"m.drn": DRN.replace(old, new, 1)}))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("m.tra", "0 1 0 1 stay\n", "", r"4 transitions; expected 5"),
        ("m.tra", "0 1 0 1 stay", "0 2 0 1 stay", r"m.tra, line 4: .*choice 2 after state 0, choice 0"),
        ("m.tra", "1 0 1 1", "0 0 1 1", r"line 5: .*choice 0 after state 0, choice 1"),
        ("m.tra", "0 0 2 0.5 go", "0 0 2 0.25 go", r"line 2: .*sum to 0.75"),
        ("m.tra", "0 0 2 0.5 go", "0 0 1 0.5 go", "successor 1 twice"),
        ("m.tra", "0 0 2 0.5 go", "0 0 3 0.5 go", "line 3: .*'3'"),
        ("m.tra", "0 0 2 0.5 go", "0 0", "line 3: .*2 columns"),
        ("m.tra", "3 4 5", "ctmc", "continuous-time"),
        ("m.tra", "3 4 5", "ma", "Markov automaton"),
        ("m.tra", "3 4 5", "hello", "Add the first line"),
        ("m.srew", "1 0.25", "0 0.25", r"m.srew, line 3: .*state 0 twice"),
        ("m.srew", "1 0.25", "9 0.25", r"m.srew, line 3: .*'9'"),
        ("m.srew", "1 0.25", "1 x", "the reward 'x'"),
        ("m.trew", "0 0 2 2", "0 5 2 2", r"m.trew, line 3: .*choice 5"),
        ("m.trew", "0 0 2 2", "0 0 0 2", r"m.trew, line 3: .*not in the .tra"),
        ("m.trew", "0 0 2 2", "0 0 2", r"m.trew, line 3: .*3 columns"),
        ("m.lab", "2: 1", "7: 1", r"m.lab, line 3: .*'7'"),
        ("m.lab", "2: 1", "2: 5", r"label number 5"),
        ("m.sta", "2:(1,0)", "1:(1,0)", r"m.sta, line 4: .*state 1 twice"),
        ("m.sta", "2:(1,0)\n", "", r"2 states; expected 3"),
        ("m.tra", "2 0 2 1\n", "2 0 2 1", r"m.tra, line 6: .*a last line without a line break, '2 0 2 1'"),
        ("m.lab", "2: 1", ":", r"m.lab, line 3: .*the state ''"),
        ("m.lab", "2: 1\n", "2", r"m.lab, line 3: .*may end early"),
        ("m.sta", "2:(1,0)\n", "2:(1", r"m.sta, line 4: .*may end early"),
        ("m.trew", "0 0 2 2\n", "0 0 2 2.", r"m.trew, line 3: .*may end early"),
        ("m.trew", "0 0 2 2\n", "", r"m.trew, line 1: .*1 lines with rewards; expected 2"),
        ("m.srew", "1 0.25\n", "", r"m.srew, line 1: .*'3'"),
    ],
)
def test_wrong_prism_files(tmp_path, file, old, new, message):
    assert old in PRISM[file]
    with pytest.raises(InvalidInputError, match=message):
        read_source(write(tmp_path, {**PRISM, file: PRISM[file].replace(old, new, 1)}), gamma=0.5)


def test_a_model_without_rewards_or_with_odd_names(tmp_path):
    with pytest.raises(InvalidInputError, match="no reward file beside it"):
        read_source(write(tmp_path, {"m.tra": PRISM["m.tra"]}))
    with pytest.raises(SourceNotFoundError, match=r"none\.drn"):
        read_source(tmp_path / "none.drn")
    with pytest.raises(InvalidInputError, match="an environment's id"):
        read_source("model.txt")
    source = several({"seed": 0, "states": 2, "actions": 2}, names=False)
    odd = with_components(source, source.rewards, reward_names=("a b", "c"), weights=None)
    for ending in (".drn", ".tra"):
        with pytest.raises(InvalidInputError, match="'a b'"):
            write_source(odd, tmp_path / f"odd{ending}")
    with pytest.raises(InvalidInputError, match=r"ends in \.npz"):
        write_source(odd, tmp_path / "odd.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"rewards": [1, 2], "reward": 1, "next": {"0": 1}', "both 'reward' and 'rewards'"),
        ('"rewards": [], "next": {"0": 1}', "a list without entries"),
        ('"rewards": [1, "x"], "next": {"0": 1}', "reward 1 of .* that is a text"),
        ('"rewards": [1, 2], "next": {"0": 1}}, {"reward": 3, "next": {"0": 1}', "1 rewards at state 0"),
    ],
)
def test_wrong_rewards_in_json(tmp_path, text, message):
    body = '{"gamma": 0.5, "states": [{"actions": [{' + text + "}]}]}"
    with pytest.raises(InvalidInputError, match=message):
        read_source(write(tmp_path, {"m.json": body}))


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_one_reward_keeps_its_name_and_several_are_known_without_actions(tmp_path, ending):
    one = plain_source(token_tree(["a", "b"], [1.0, 0.0]))
    write_source(with_components(one, one.rewards, reward_names=("steps",), weights=[1.0]), tmp_path / f"one{ending}")
    assert read_source(tmp_path / f"one{ending}").reward_names == ("steps",)
    end = MDP.from_arrays(np.ones((1, 1, 1)), [[0.0]], 0.5, terminal=np.array([True]))
    two = with_components(plain_source(end), np.zeros((2, 1)), reward_names=("x", "y"), weights=[0.25, 0.75])
    write_source(two, tmp_path / f"two{ending}")
    back = read_source(tmp_path / f"two{ending}")
    assert (back.reward_names, back.weights.tolist(), back.rewards.shape) == (("x", "y"), [0.25, 0.75], (2, 1))


def test_action_names_that_make_the_same_word_stay_apart(tmp_path):
    names = ["x:y", "x,y", "x_y_1"]
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 2.0, 3.0]], 0.5, action_names=names)
    write_source(mdp, tmp_path / "m.drn")
    back = read_source(tmp_path / "m.drn").mdp
    assert (back.action_names, back.actions.tolist()) == (tuple(names), [0, 1, 2])
    assert [line.split()[1] for line in (tmp_path / "m.drn").read_text().splitlines() if "\taction" in line] == [
        "x_y",
        "x_y_1",
        "x_y_1_2",
    ]


def test_tables(tmp_path):
    with pytest.raises(InvalidInputError, match="no name of an MDP"):
        read_source(TABLES)
    with pytest.raises(InvalidInputError, match="the MDP 'nope'"):
        read_source(f"{TABLES}:nope")
    with pytest.raises(SourceNotFoundError, match="exists"):
        read_source(f"{tmp_path}/none.parquet:a")
    (tmp_path / "broken.parquet").write_text("no")
    with pytest.raises(InvalidInputError, match="no Parquet file"):
        read_source(tmp_path / "broken.parquet")


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("transitions", "probability", "x", "`probability` of type String; expected numbers"),
        ("transitions", "state", 0.5, "`state` of type Float64; expected whole numbers"),
        ("transitions", "reward_0", "x", "`reward_0` of type String"),
        ("states", "terminal", "no", "`terminal` of type String; expected true or false"),
        ("states", "initial_probability", "x", "`initial_probability` of type String"),
        ("states", "reward_names", None, r"m_states.parquet: .*empty cell in `reward_names`, row 0"),
        ("states", "reward_names", "a,a", r"m_states.parquet: .*`reward_names` 'a,a'.*distinct"),
        ("states", "terminal", None, "`terminal` of type String"),
        ("states", "initial_probability", 2.0, r"m_transitions.parquet: .*`initial` with minimum 2.0"),
        ("transitions", "probability", 0.25, r"m_transitions.parquet: .*sum to 0.25"),
        ("transitions", "mdp", 3, "`mdp` of type Int32; expected text"),
        ("transitions", "mdp", None, r"m_transitions.parquet: .*empty cell in `mdp`, row 0"),
        ("states", "mdp", "x", "m_states.parquet: Got no states of deep_sea"),
    ],
)
def test_tables_with_a_wrong_column(tmp_path, table, column, value, message):
    for name in ("transitions", "states"):
        whole = pl.read_parquet(str(TABLES).replace("transitions", name))
        wrong = pl.lit(value, dtype=pl.String if value is None else None).alias(column)
        (whole.with_columns(wrong) if name == table else whole).write_parquet(tmp_path / f"m_{name}.parquet")
    with pytest.raises(InvalidInputError, match=message):
        read_source(f"{tmp_path}/m_transitions.parquet:deep_sea_treasure_convex")


def written_tables(folder, transitions=(), states=()):
    """Tables of a ring of 150 states with two actions each, changed by these expressions; the path to read."""
    n, owners = 150, np.repeat(np.arange(150), 2)
    ring = pl.DataFrame({"mdp": "ring", "state": owners, "action": np.tile(["stay", "go"], n)}).with_columns(
        next_state=(owners + np.tile([0, 1], n)) % n, probability=1.0, reward_0=pl.lit(owners)
    )
    nodes = pl.DataFrame({"mdp": "ring", "state": np.arange(n), "reward_names": "r"}).with_columns(
        label=pl.format("at {}", "state"), initial_probability=1 / n, terminal=False
    )
    ring.with_columns(transitions).write_parquet(folder / "ring_transitions.parquet")
    nodes.with_columns(states).write_parquet(folder / "ring_states.parquet")
    return folder / "ring_transitions.parquet"


@pytest.mark.parametrize("kind", [pl.UInt8, pl.Int16, pl.UInt64])
def test_tables_with_small_whole_numbers(tmp_path, kind):
    narrow = [pl.col(column).cast(kind) for column in ("state", "next_state")]
    mdp = read_source(written_tables(tmp_path, narrow, narrow[:1])).mdp
    assert (mdp.n_states, mdp.n_pairs) == (150, 300)
    assert (mdp.rewards == mdp.pair_states).all()
    assert (mdp.successors == (mdp.pair_states + mdp.actions) % 150).all()


def test_labels_that_are_missing_are_numbers(tmp_path):
    some = pl.when(pl.col("state") == 7).then(None).otherwise(pl.col("label")).alias("label")
    names = read_source(written_tables(tmp_path, states=some)).mdp.state_names
    assert names[6:9] == ("at 6", "7", "at 8")
    assert read_source(written_tables(tmp_path, states=pl.lit(None).alias("label"))).mdp.state_names[:2] == ("0", "1")


@pytest.mark.parametrize(
    ("column", "table"), [("action", "transitions"), ("initial_probability", "states"), ("terminal", "states")]
)
def test_one_empty_cell_is_named(tmp_path, column, table):
    hole = pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col(column)).alias(column)
    path = written_tables(tmp_path, **{table: hole})
    with pytest.raises(InvalidInputError, match=rf"ring_{table}.parquet: .*`{column}`, row 5"):
        read_source(path)


def test_reward_names_that_differ_between_rows(tmp_path):
    names = pl.when(pl.col("state") == 9).then(pl.lit("q")).otherwise(pl.lit("r")).alias("reward_names")
    with pytest.raises(InvalidInputError, match=r"ring_states.parquet: .*'r' and 'q'"):
        read_source(written_tables(tmp_path, states=names))


def test_a_table_without_rows(tmp_path):
    for name in ("transitions", "states"):
        pl.read_parquet(str(TABLES).replace("transitions", name)).head(0).write_parquet(tmp_path / f"m_{name}.parquet")
    with pytest.raises(InvalidInputError, match="no rows; expected transitions"):
        read_source(tmp_path / "m_transitions.parquet")
