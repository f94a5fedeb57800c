"""Every statement notices when what it rests on is slightly wrong: a row says what is spoiled, and how.

The function is replaced where the statement's module looks it up; some instance must then contradict the statement.
"""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from policycliff.statements.instances import built_in_instances, random_instance
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.run import run_check
from policycliff.statements.statement import FAILS

INSTANCES = [*built_in_instances(), *(random_instance(seed) for seed in range(40))]
CHECKS = {statement.number: statement for statement in STATEMENTS}


def scaled(factor):
    """The result times a factor."""
    return lambda real: lambda *args, **rest: factor * real(*args, **rest)


def given(**changes):
    """Called with other keyword arguments: each is what a function makes of the one given."""

    def spoil(real):
        return lambda *args, **rest: real(
            *args, **{name: changes[name](value) if name in changes else value for name, value in rest.items()}
        )

    return spoil


def fields(**changes):
    """The result with other fields: each is what a function makes of the true one."""

    def spoil(real):
        def wrong(*args, **rest):
            result = real(*args, **rest)
            return replace(result, **{name: change(getattr(result, name)) for name, change in changes.items()})

        return wrong

    return spoil


def with_fields(**changes):
    """A result inside a result, with other fields."""
    return lambda item: replace(item, **{name: change(getattr(item, name)) for name, change in changes.items()})


def each(**changes):
    """Every entry of a tuple, with other fields."""
    return lambda items: tuple(with_fields(**changes)(item) for item in items)


def times(factor):
    return lambda value: factor * value


def rolled(array):
    return np.roll(array, 1)


def moved_by(factor):
    """A constructed reward whose change is larger or smaller."""

    def spoil(real):
        def wrong(mdp, *args, **rest):
            moved = real(mdp, *args, **rest)
            world = mdp.with_rewards(mdp.rewards + factor * moved.change)
            return replace(moved, after=replace(moved.after, mdp=world))

        return wrong

    return spoil


def another_action(real):
    """The construction raises the next available action instead."""

    def wrong(mdp, state, action, epsilon, **rest):
        here = mdp.actions[mdp.offsets[state] : mdp.offsets[state + 1]].tolist()
        moved = real(mdp, state, action, epsilon, **rest)
        pair, other = mdp.pair(state, action), mdp.pair(state, here[(here.index(action) + 1) % len(here)])
        change = moved.change.copy()
        change[[pair, other]] = change[[other, pair]]
        world = mdp.with_rewards(mdp.rewards + change)
        return replace(moved, after=replace(moved.after, mdp=world))

    return wrong


def components_moved_by(factor):
    def spoil(real):
        def wrong(mdp, rewards, weights, **rest):
            moved = real(mdp, rewards, weights, **rest)
            return replace(moved, rewards=rewards + factor * moved.change, change=factor * moved.change)

        return wrong

    return spoil


def _stationary_as_effective(found):
    return replace(found, effective_policy=found.stationary_policy)


def swapped_weights(real):
    return lambda rewards, weights, **rest: real(rewards, weights[::-1], **rest)


def tuple_scaled(factor, places):
    """Some entries of a tuple times a factor."""
    return lambda real: (
        lambda *args, **rest: tuple(
            factor * value if place in places else value for place, value in enumerate(real(*args, **rest))
        )
    )


def other_temperature(factor):
    def spoil(real):
        def wrong(*args, regularizer=None, **rest):
            return real(
                *args,
                regularizer=regularizer and replace(regularizer, temperature=factor * regularizer.temperature),
                **rest,
            )

        return wrong

    return spoil


def path_shifted(real):
    def wrong(*args, **rest):
        path = real(*args, **rest)
        return replace(path, breakpoints=tuple(replace(item, t=item.t + 1e-6) for item in path.breakpoints))

    return wrong


def path_without_one(real):
    def wrong(*args, **rest):
        path = real(*args, **rest)
        return replace(path, breakpoints=path.breakpoints[1:])

    return wrong


def lazy_path(real):
    def wrong(*args, **rest):
        path = real(*args, **rest)
        return replace(
            path, intervals=tuple(replace(item, members=path.intervals[0].members) for item in path.intervals)
        )

    return wrong


def sequence_scaled(factor):
    def spoil(real):
        def wrong(*args, **rest):
            bounds = real(*args, **rest)
            if bounds.sequence is None:
                return bounds
            return replace(bounds, sequence=replace(bounds.sequence, span=factor * bounds.sequence.span))

        return wrong

    return spoil


def price_scaled(factor, *, reference):
    """A price whose bound is another, of KL to a reference or of entropy."""

    def spoil(real):
        def wrong(mdp, problem):
            price = real(mdp, problem)
            if bool(problem.reference) != reference:
                return price

            class Wrong:
                def bound(self, temperature):
                    return factor * price.bound(temperature)

            return Wrong()

        return wrong

    return spoil


def base_on_members(real):
    """The limit that one would guess: the reference renormalised on the optimal actions."""

    def wrong(mdp, *, reference_policy=None, **rest):
        limit = real(mdp, reference_policy=reference_policy, **rest)
        base = np.ones(mdp.n_pairs) if reference_policy is None else reference_policy
        kept = np.where(limit.members, base, 0.0)
        return replace(limit, policy=kept / np.add.reduceat(kept, mdp.offsets[:-1])[mdp.pair_states])

    return wrong


def evidence_short(real):
    """The strongest of the pairs that prove it is forgotten."""

    def wrong(*args, **rest):
        found = real(*args, **rest)
        names = ("states", "actions", "advantages", "weighted_gains")
        return replace(found, **{name: getattr(found, name)[1:] for name in names})

    return wrong


def everything_tied(actions):
    """Sets that hold every action, and the code of a tie."""
    return np.ones_like(actions)


def with_one_more(real):
    """Optimal sets in which the state's first other action counts as optimal."""

    def wrong(mdp):
        actions = real(mdp)
        members = actions.members.copy()
        for first, last in zip(mdp.offsets[:-1], mdp.offsets[1:], strict=True):
            out = first + np.flatnonzero(~members[first:last])
            if members[first:last].sum() > 1:
                members[out[:1]] = True
        return replace(actions, members=members)

    return wrong


def uneven(real):
    """Not the uniform choice: the first of the actions is a little likelier."""

    def wrong(members, n_pairs):
        policy = real(members, n_pairs)
        policy[members[0]] += 1e-3
        return policy / policy.sum()

    return wrong


def reverse_sign(_):
    def wrong(mdp, q):
        top = np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.offsets[:-1]))
        return q + mdp.gamma * (mdp.transitions @ top)

    return wrong


def hard_gate(_):
    def wrong(mdp, pair):
        first = mdp.offsets[:-1]
        gate = (pair[0, first] > pair[1, first])[mdp.pair_states]
        return np.where(gate, pair[0], pair[1])

    return wrong


# Number, module, what is spoiled, how.
ROWS = [
    ("Prop 2.4", "proposition_2_4", "reward_horizon", scaled(0.999)),
    ("Prop 2.4", "proposition_2_4", "reward_horizon", scaled(1.001)),
    ("Lemma 2.5", "lemma_2_5", "argmax_drift", fields(containment_step=times(1.05))),
    ("Lemma 2.5", "lemma_2_5", "cliff_perturbation", moved_by(0.0)),
    ("Thm 2.7", "theorem_2_7", "reward_horizon", scaled(0.95)),
    ("Prop 2.9", "proposition_2_9", "cliff_perturbation", moved_by(1.01)),
    ("Prop 2.9", "proposition_2_9", "cliff_perturbation", moved_by(0.99)),
    ("Prop 2.9", "proposition_2_9", "cliff_perturbation", another_action),
    ("Prop 2.10", "proposition_2_10", "cliff_perturbation", moved_by(0.99)),
    ("Prop 2.10", "proposition_2_10", "cliff_perturbation", another_action),
    ("Prop 2.10", "proposition_2_10", "uniform_on", uneven),
    ("Prop 3.1", "proposition_3_1", "incomplete_reward_certificate", fields(one_step_gain=times(1.01))),
    ("Prop 3.1", "proposition_3_1", "incomplete_reward_certificate", fields(loss=times(1.01))),
    ("Prop 3.1", "proposition_3_1", "incomplete_reward_certificate", evidence_short),
    ("Prop 3.2", "proposition_3_2", "cliff_perturbation", moved_by(1.01)),
    ("Prop 3.2", "proposition_3_2", "cliff_perturbation", moved_by(0.99)),
    ("Prop 3.2", "proposition_3_2", "cliff_perturbation", another_action),
    ("Sec 3.4", "section_3_4", "solve", other_temperature(1.01)),
    ("Sec 3.4", "section_3_4", "solve", fields(values=times(1.0001))),
    ("Sec 3.4", "section_3_4", "solve", fields(policy=rolled)),
    ("Remark 4.1", "remark_4_1", "effective_reward", scaled(1.01)),
    ("Remark 4.1", "remark_4_1", "effective_reward", swapped_weights),
    ("Remark 4.1", "remark_4_1", "mixture_gap", fields(gap=times(1.0001))),
    ("Remark 4.1", "remark_4_1", "mixture_gap", lambda real: lambda *a, **r: _stationary_as_effective(real(*a, **r))),
    ("Lemma 4.2", "lemma_4_2", "effective_reward", scaled(1.0001)),
    ("Lemma 4.2", "lemma_4_2", "effective_reward", swapped_weights),
    ("Prop 4.3", "proposition_4_3", "effective_reward", scaled(1.0001)),
    ("Prop 4.3", "proposition_4_3", "reward_horizon", scaled(0.999)),
    ("Lemma 4.4", "lemma_4_4", "effective_reward", swapped_weights),
    ("Lemma 4.4", "lemma_4_4", "reward_horizon", scaled(0.95)),
    ("Prop 4.5", "proposition_4_5", "effective_reward", swapped_weights),
    ("Prop 4.5", "proposition_4_5", "reward_horizon", scaled(0.95)),
    ("Prop 4.6", "proposition_4_6", "component_perturbation", components_moved_by(1.01)),
    ("Prop 4.6", "proposition_4_6", "component_perturbation", components_moved_by(0.99)),
    ("Prop 4.6", "proposition_4_6", "component_perturbation", components_moved_by(-1.0)),
    ("Prop 4.7", "proposition_4_7", "soft_policy_bounds", fields(paper_bound=times(0.999))),
    ("Prop 4.7", "proposition_4_7", "soft_policy_bounds", fields(paper_bound=times(2.0))),
    ("Lemma C.1", "lemma_c_1", "bump", given(width=times(0.99))),
    ("Lemma C.1", "lemma_c_1", "bump", scaled(0.999)),
    ("Lemma C.1", "lemma_c_1", "bump", lambda real: lambda *a, **r: real(*a, **r) ** 2),
    ("Lemma C.2", "lemma_c_2", "soft_policy", other_temperature(1.001)),
    ("Fig. soft policy", "figure_soft_policy", "soft_policy_figure", given(tilt=times(1.01))),
    ("Fig. soft policy", "figure_soft_policy", "soft_policy_figure", given(temperature=times(1.01))),
    ("Fig. soft policy", "figure_soft_policy", "soft_policy_figure", fields(hard_distance=times(0.99))),
    ("Fig. soft policy", "figure_soft_policy", "soft_policy_figure", fields(soft_bound=times(0.999))),
    ("Result 1", "result_1", "stability_radius", fields(radius=times(1.001))),
    ("Result 1", "result_1", "stability_radius", fields(radius=times(0.999))),
    ("Result 1", "result_1", "stability_radius", fields(witness=rolled)),
    ("Result 2", "result_2", "perturbation_path", path_shifted),
    ("Result 2", "result_2", "perturbation_path", path_without_one),
    ("Result 2", "result_2", "perturbation_path", lazy_path),
    ("Result 3", "result_3", "mixture_phases", fields(cells=lambda cells: cells[1:])),
    ("Result 3", "result_3", "mixture_phases", fields(cells=each(values=times(1.0001)))),
    ("Result 3", "result_3", "mixture_phases", fields(cells=each(vertices=times(0.999)))),
    ("Result 3", "result_3", "mixture_phases", fields(walls=lambda walls: walls[1:])),
    ("Result 3", "result_3", "mixture_phases", fields(walls=each(vertices=times(1.000001)))),
    ("Result 3", "result_3", "mixture_phases", fields(nearest=with_fields(distance=times(1.0001)))),
    ("Result 4", "result_4", "soft_policy_bounds", fields(sharp=times(0.999))),
    ("Result 4", "result_4", "soft_policy_bounds", fields(mixing=times(0.98))),
    ("Result 4", "result_4", "soft_policy_bounds", fields(certified=times(0.99))),
    ("Result 4", "result_4", "local_moduli", tuple_scaled(1.001, (0, 1))),
    ("Result 4", "result_4", "local_moduli", tuple_scaled(0.999, (0, 1))),
    ("Result 5", "result_5", "proven_temperatures", tuple_scaled(0.95, (0,))),
    ("Result 5", "result_5", "proven_temperatures", tuple_scaled(0.95, (1,))),
    ("Result 5", "result_5", "proven_temperatures", tuple_scaled(0.95, (2,))),
    ("Result 5", "result_5", "calibrate_temperature", fields(certified=times(0.95))),
    ("Result 5", "result_5", "make_price", price_scaled(0.999, reference=True)),
    ("Result 5", "result_5", "make_price", price_scaled(0.999, reference=False)),
    ("Result 5", "result_5", "zero_temperature_policy", base_on_members),
    ("Result 6", "result_6", "degeneracy_price", fields(best=times(0.999))),
    ("Result 6", "result_6", "degeneracy_price", fields(worst=times(0.999))),
    ("Result 6", "result_6", "degeneracy_price", fields(misspecification=times(0.999))),
    ("Result 6", "result_6", "degeneracy_price", fields(log_optimal_policies=times(1.001))),
    ("Result 7", "result_7", "design_tie_breaker", fields(size=times(1.001))),
    ("Result 7", "result_7", "design_tie_breaker", fields(size=times(0.999))),
    ("Result 7", "result_7", "design_tie_breaker", fields(change=times(0.999))),
    ("Result 8", "result_8", "stability_radius", fields(radius=times(0.999))),
    ("Result 8", "result_8", "_advantages", lambda real: lambda group: [1.001 * x for x in real(group)]),
    ("Result 9", "result_9", "solve", fields(q_values=times(1.001))),
    ("Result 9", "result_9", "solve", fields(error_bound=times(0.1))),
    ("Result 9", "result_9", "optimal_actions", fields(members=everything_tied, codes=everything_tied)),
    ("Result 9", "result_9", "optimal_actions", fields(members=rolled)),
    ("Result 10", "result_10", "soft_policy_bounds", sequence_scaled(0.999)),
    ("Result 10", "result_10", "soft_policy_bounds", sequence_scaled(1.001)),
    ("Result 10", "result_10", "measured_soft_q", given(temperature=times(1.001))),
    ("Result 11", "result_11", "length_radius", scaled(1.001)),
    ("Result 11", "result_11", "length_radius", scaled(0.999)),
    ("Result 12", "result_12", "gate_bounds", fields(reward_shift=times(0.999))),
    ("Result 12", "result_12", "gate_bounds", fields(reward_first_order=times(1.001))),
    ("Result 12", "result_12", "gate_bounds", fields(certified=times(0.999))),
    ("Result 12", "result_12", "gate_jump", fields(policy_jump=times(0.999))),
    ("Erratum 1", "errata_maps", "reward_horizon", scaled(0.9)),
    ("Erratum 2", "errata_maps", "_reward_of", reverse_sign),
    ("Erratum 2", "errata_maps", "cliff_perturbation", fields(change=times(0.999))),
    ("Erratum 3", "errata_maps", "optimal_sets", with_one_more),
    ("Erratum 4", "errata_maps", "replace", lambda real: lambda mdp, **_: mdp),
    (
        "Erratum 5",
        "errata_maps",
        "policy_values",
        lambda real: lambda mdp, _, rewards: real(mdp, np.array([1, 2, 4]), rewards),
    ),
    ("Erratum 6", "errata_maps", "_longer_wins", lambda real: lambda gap, extra, x: real(gap, extra, 1.001 * x)),
    ("Erratum 7", "errata_mixtures", "measured_q", tuple_scaled(1.001, (0,))),
    ("Erratum 8", "errata_mixtures", "pair_lead", scaled(1.001)),
    ("Erratum 9", "errata_mixtures", "_gated", hard_gate),
    ("Erratum 10", "errata_soft", "measured_soft_q", given(temperature=times(1.001))),
    ("Erratum 11", "errata_soft", "gibbs", given(temperature=times(1.001))),
]


def test_every_statement_has_a_row():
    assert {row[0] for row in ROWS} == set(CHECKS)


@pytest.mark.parametrize(("number", "module", "name", "spoil"), ROWS)
def test_a_statement_whose_ground_is_spoiled_is_contradicted(monkeypatch, number, module, name, spoil):
    place = import_module(f"policycliff.statements.{module}")
    monkeypatch.setattr(place, name, spoil(getattr(place, name)))
    assert any(run_check(CHECKS[number], instance).verdict == FAILS for instance in INSTANCES)
