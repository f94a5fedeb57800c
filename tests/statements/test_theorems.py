"""`theorems` runs every statement; a statement that is wrong would be caught."""

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from policycliff import MDP, theorems
from policycliff.errors import InvalidInputError
from policycliff.statements import registry, run
from policycliff.statements.instances import built_in_instances
from policycliff.statements.statement import Claim, Outcome

NUMBERS = [statement.number for statement in registry.STATEMENTS]


@pytest.fixture(scope="module")
def report():
    return theorems(instances=8, seed=3, with_figures=True)


def test_numbers_are_distinct_and_every_example_is_a_built_in_instance():
    assert len(set(NUMBERS)) == len(NUMBERS)
    names = {instance.name for instance in built_in_instances()}
    assert {statement.example for statement in registry.STATEMENTS} <= names


def test_no_statement_is_contradicted(report):
    failed = [(row.statement.number, item) for row in report.rows for item in row.failures]
    assert failed == []


@pytest.mark.parametrize("number", NUMBERS)
def test_every_statement_holds_on_its_example_and_is_resolved_nearly_everywhere(report, number):
    row = next(row for row in report.rows if row.statement.number == number)
    assert row.example.outcome.verdict == "holds"
    assert row.example.outcome.claims
    assert row.counts["unresolved"] <= 0.1 * sum(row.counts.values())
    # On small instances no analysis may refuse: a bug could hide behind "not measured".
    assert row.counts["not measured"] == 0
    assert sum(row.counts.values()) == 8 + len(built_in_instances())


@pytest.mark.parametrize("number", NUMBERS)
def test_a_part_gives_the_same_figures_as_the_whole(report, number):
    whole = next(row for row in report.rows if row.statement.number == number)
    alone = theorems(only=[number], seed=3).rows[0]
    assert alone.example.to_dict() == whole.example.to_dict()


def test_a_wrong_statement_is_caught(monkeypatch):
    def wrong(instance):
        return Outcome(claims=(Claim("one is at most zero", 0.0, 1.0),))

    false = replace(registry.STATEMENTS[0], check=wrong)
    monkeypatch.setattr(run, "STATEMENTS", (false,))
    report = theorems(instances=30)
    assert report.n_failed == 30 + len(built_in_instances())
    assert report.rows[0].verdict == "fails"
    assert len(report.rows[0].failures) == run.MOST_KEPT


def test_the_result_is_strict_json(report):
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["n_failed"] == 0
    assert set(json.loads(text)["versions"]) >= {"python", "policycliff", "numpy"}


def test_the_user_s_own_mdp_takes_the_place_of_the_built_in_ones():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
    report = theorems(mdp)
    assert {row.example.instance for row in report.rows} == {run.OWN}
    assert all(sum(row.counts.values()) == 1 for row in report.rows)
    assert report.n_failed == 0


def test_own_components_replace_the_made_up_ones():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
    report = theorems(mdp, rewards=[[1.0, 0.0], [0.0, 1.0]], weights=[0.5, 0.5], only=["Lemma 4.2"])
    assert report.own.rewards.tolist() == [0.5, 0.5]
    assert report.rows[0].verdict == "holds"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, "Prop 2.4") for name in ["2.4", "prop 2.4", "Proposition 2.4", "PROP. 2.4", "prop2.4", "Prop.2.4"]),
        *((name, "Lemma C.1") for name in ["C.1", "lemma c1", "lemma c.1"]),
        *((name, "Result 8") for name in ["result8", "Result  8"]),
        *((name, "Fig. soft policy") for name in ["Fig", "figure of the soft policy"]),
        ("sec3.4", "Sec 3.4"),
    ],
)
def test_a_statement_may_be_named_as_people_write_it(name, number):
    assert [statement.number for statement in run.select([name])] == [number]


def test_every_number_names_its_statement_alone():
    assert [run.select([number])[0].number for number in NUMBERS] == NUMBERS


def test_what_would_take_minutes_on_a_large_mdp_is_not_measured_and_says_so():
    rng, states = np.random.default_rng(0), 1500
    kernel = sp.csr_array(
        (np.full(6 * states, 0.5), (np.repeat(np.arange(3 * states), 2), rng.integers(0, states, 6 * states))),
        shape=(3 * states, states),
    )
    kernel.sum_duplicates()
    pairs = np.repeat(np.arange(states), 3)
    quick = theorems(MDP.from_pairs(pairs, kernel, rng.normal(size=3 * states), 0.5))
    slow = theorems(
        MDP.from_pairs(pairs, kernel, rng.normal(size=3 * states), 0.99999), only=["2.4", "2.7", "Result 2"]
    )
    assert quick.n_failed == slow.n_failed == 0
    verdicts = {row.statement.number: row.verdict for row in quick.rows}
    assert verdicts["Prop 2.4"] == verdicts["Thm 2.7"] == verdicts["Result 6"] == "holds"
    assert verdicts["Prop 4.7"] == verdicts["Result 2"] == "not measured"
    assert {row.verdict for row in slow.rows} == {"not measured"}
    assert all("steps" in row.example.outcome.why or "minutes" in row.example.outcome.why for row in slow.rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": ["Prop 9.9"]}, "the statement 'Prop 9.9'"),
        ({"instances": -1}, "at least 0"),
        ({"rewards": [[1.0]]}, "only some of"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        theorems(**arguments)


def test_components_of_the_wrong_length_are_refused():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
    with pytest.raises(InvalidInputError, match="components over pairs"):
        theorems(mdp, rewards=[[1.0, 0.0, 2.0]], weights=[1.0])


def test_progress_is_told_and_ends_below_one():
    told = []
    theorems(only=["Prop 2.4", "Lemma 4.2"], progress=lambda stage, share: told.append((stage, share)))
    assert {stage for stage, _ in told} == {"Prop 2.4", "Lemma 4.2"}
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] < 1.0
