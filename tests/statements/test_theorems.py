"""`theorems` runs every statement; a statement that is wrong would be caught."""

import json
from dataclasses import replace

import numpy as np
import pytest

from policycliff import MDP, theorems
from policycliff.errors import InvalidInputError
from policycliff.statements import registry, run
from policycliff.statements.instances import built_in_instances
from policycliff.statements.statement import Claim, Outcome

NUMBERS = [statement.number for statement in registry.STATEMENTS]


@pytest.fixture(scope="module")
def report():
    return theorems(instances=16, seed=3, with_figures=True)


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
    assert sum(row.counts.values()) == 16 + len(built_in_instances())


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


@pytest.mark.parametrize("name", ["2.4", "prop 2.4", "Proposition 2.4", "PROP. 2.4"])
def test_a_statement_may_be_named_as_people_write_it(name):
    assert [statement.number for statement in run.select([name])] == ["Prop 2.4"]


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
