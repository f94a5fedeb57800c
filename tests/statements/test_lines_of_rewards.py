"""Results 2, 3 and 11 as statements: the enumeration they measure with, and that wrong claims are caught."""

from dataclasses import replace

import numpy as np
import pytest

from policycliff import MDP, perturbation_path
from policycliff.statements import envelope, result_2, result_3, result_11
from policycliff.statements.envelope import all_values, inner, make_envelope
from policycliff.statements.instances import built_in_instances, random_instance
from policycliff.statements.measure import policies, policy_values

INSTANCES = {instance.name: instance for instance in built_in_instances()}


def test_kinks_by_hand():
    bandit = MDP.from_arrays(np.ones((1, 4, 1)), [[3.0, 2.0, 0.0, 0.5]], 0.0)
    lines = make_envelope(bandit, np.array([0.0, 1.0, 2.0, 0.5]))
    assert lines.kinks(0.0, 4.0) == [1.0, 2.0]
    assert lines.kinks(1.0, 1.5) == []


def test_points_that_rounding_cannot_tell_apart_are_one():
    assert inner([0.0, 1e-12, 0.5, 0.5 + 1e-12, 1.0 - 1e-12], 0.0, 1.0) == [0.5]


def test_too_many_policies_are_not_enumerated():
    kernel = np.full((7, 3, 7), 1 / 7)
    mdp = MDP.from_arrays(kernel, np.arange(21.0).reshape(7, 3), 0.5)
    assert make_envelope(mdp, np.ones(21)) is None


@pytest.mark.parametrize("damage", ["missing", "moved", "added"])
def test_a_wrong_path_is_caught(monkeypatch, damage):
    def wrong(*arguments, **options):
        path = perturbation_path(*arguments, **options)
        points = list(path.breakpoints)
        inside = next(i for i, item in enumerate(points) if path.t_min < item.t < path.t_max)
        if damage == "missing":
            del points[inside]
        elif damage == "moved":
            points[inside] = replace(points[inside], t=points[inside].t + 1e-3)
        else:
            points.append(replace(points[inside], t=points[inside].t + 1e-3))
        return replace(path, breakpoints=tuple(points))

    instance = INSTANCES["discounted traces"]
    assert result_2.check(instance).verdict == "holds"
    monkeypatch.setattr(result_2, "perturbation_path", wrong)
    assert result_2.check(instance).verdict == "fails"


def test_values_of_all_policies_against_one_solve_each(monkeypatch):
    mdp = INSTANCES["clever slacker"].mdp
    rewards = np.random.default_rng(0).normal(size=(3, mdp.n_pairs))
    values = all_values(mdp, rewards)
    single = [[policy_values(mdp, choice, reward) for reward in rewards] for choice in policies(mdp)]
    np.testing.assert_allclose(values, np.swapaxes(single, 1, 2), atol=1e-14)
    monkeypatch.setattr(envelope, "BATCH_ENTRIES", 20)
    assert np.array_equal(values, all_values(mdp, rewards))


def test_the_takeover_by_hand():
    # From (1/3, 1/3, 1/3): a gap of 1/3, and 2 gained for each unit moved from the second to the first reward.
    assert result_3._takeover(np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 0.0]])) == pytest.approx(1 / 3)
    # The second reward has no more than 1/3 to give: 1/3 from there gains 1, the rest comes from the third.
    far = np.array([[1.0, 1.0, 1.0], [2.0, -3.0, -2.0]])
    assert result_3._takeover(far) == pytest.approx(2 * (1 / 3 + (2 - 5 / 3) / 4))
    assert result_3._takeover(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])) == np.inf
    assert result_3._takeover(np.array([[1.0, 0.0], [0.0, 1.0]])) == 0.0


def test_what_lies_in_a_polygon():
    corners = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    inside, edge, outside = [0.5, 0.3, 0.2], [0.75, 0.0, 0.25], [0.1, 0.1, 0.8]
    assert [result_3._holds(corners, np.array(point)) for point in (inside, edge, outside)] == [True, True, False]
    assert result_3._holds(corners[::-1], np.array(inside))
    assert result_3._area(corners) == pytest.approx(0.5)


def test_where_the_cells_are_too_many_convexity_is_measured(monkeypatch):
    monkeypatch.setattr(result_3, "MOST_CELLS", 1)
    outcome = result_3.check(INSTANCES["unique chain"])
    assert (outcome.verdict, [claim.text for claim in outcome.claims]) == ("holds", ["V* above its chords"])


def test_one_reward_has_no_cells():
    instance = INSTANCES["tied bandit"]
    one = replace(instance, rewards=instance.mdp.rewards[None, :], weights=np.ones((1, 1)))
    assert result_3.check(one).verdict == "hypothesis not met"


def test_two_rewards_of_one_s_own():
    instance = INSTANCES["tied bandit"]
    two = replace(
        instance, rewards=np.array([[3.0, 2.0, 0.0, 0.0], [0.0, 2.0, 3.0, 0.0]]), weights=np.full((2, 1), 0.5)
    )
    claims = result_3.check(two).claims
    assert [claim.claimed for claim in claims[:3]] == pytest.approx([3.0, 0.0, 1 / 3])


def test_wrong_sets_between_breakpoints_are_caught(monkeypatch):
    def wrong(*arguments, **options):
        path = perturbation_path(*arguments, **options)
        lazy = tuple(replace(item, members=path.intervals[0].members) for item in path.intervals)
        return replace(path, intervals=lazy)

    monkeypatch.setattr(result_2, "perturbation_path", wrong)
    assert result_2.check(INSTANCES["graded completions"]).verdict == "fails"


def test_a_wrong_radius_is_caught(monkeypatch):
    true = result_11.length_radius
    monkeypatch.setattr(result_11, "length_radius", lambda *args, **options: 1.01 * true(*args, **options))
    assert result_11.check(INSTANCES["discounted traces"]).verdict == "fails"


@pytest.mark.parametrize("module", [result_2, result_3, result_11])
def test_random_instances(module):
    assert {module.check(random_instance(seed)).verdict for seed in range(32)} == {"holds"}


def test_an_instance_too_large_to_enumerate():
    rng = np.random.default_rng(0)
    mdp = MDP.from_arrays(rng.dirichlet(np.ones(70), (70, 3)), rng.normal(size=(70, 3)), 0.9)
    outcome = result_2.check(replace(INSTANCES["unique chain"], mdp=mdp))
    assert outcome.verdict == "holds"
    assert len(outcome.claims) == 2
