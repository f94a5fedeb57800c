"""Errata about the reward-policy map: what sections 2 and 3 of the paper need corrected, or give away."""

from dataclasses import replace

import numpy as np

from policycliff.cliffs.ties.construction import cliff_perturbation
from policycliff.mdp.model import MDP
from policycliff.policies.occupancy import state_visits
from policycliff.policies.selection import uniform_policy
from policycliff.shapes import Float64
from policycliff.statements.facts import (
    optimal_sets,
    random_change,
    reward_scale,
    tied_somewhere,
    tied_state,
    unique_everywhere,
)
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT, measured_q, policy_values, spans
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 8
HALVINGS = 24


def check_uniqueness(instance: Instance) -> Outcome:
    """Gaps of all rewards near by stay positive: at least gap - 2 H e, with H the horizon of a reward change."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    hypothesis = unique_everywhere(actions)
    gap, horizon = float(actions.gaps.min()), float(reward_horizon(mdp).max())
    if hypothesis.holds is not True or not np.isfinite(gap):
        return unmet(hypothesis, Hypothesis("some state has two actions", holds=bool(np.isfinite(gap))))
    size = 0.9 * gap / (2.0 * horizon)
    rng = instance.generator("Erratum 1")
    found = [_least_gap(mdp, mdp.rewards + random_change(mdp, size, rng)) for _ in range(TRIALS)]
    least, error = min(found, key=lambda item: item[0])
    claim = Claim("least gap of rewards near by", gap - 2.0 * horizon * size, least, ">=", 2.0 * error)
    return Outcome(hypotheses=(hypothesis,), claims=(claim,))


def _least_gap(mdp: MDP, rewards: Float64[np.ndarray, " pairs"]) -> tuple[float, float]:
    q, error = measured_q(mdp, rewards)
    ranked = [np.sort(q[first:last]) for first, last in spans(mdp) if last - first > 1]
    return min(float(values[-1] - values[-2]) for values in ranked), error


def check_factor(instance: Instance) -> Outcome:
    """The change of Prop 2.9 with the bump on one pair lies in [-gamma e, e]: at most e, not (1 + gamma) e.

    Measured by dense algebra; and the change that "sharp" makes, cut to e, still lifts a2 by all of e.
    """
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    state = tied_state(actions)
    size, pair = 0.125 * reward_scale(mdp), int(actions.pairs(state)[-1])
    q, error = measured_q(mdp)
    change = _reward_of(mdp, q + size * (np.arange(mdp.n_pairs) == pair)) - _reward_of(mdp, q)
    made = cliff_perturbation(mdp, state, int(mdp.actions[pair]), size, construction="sharp")
    after, error_after = measured_q(mdp, mdp.rewards + made.change)
    lead = float(after[pair] - after[actions.pairs(state)[0]])
    slack = 8.0 * error + 1e-13 * reward_scale(mdp)
    return Outcome(
        hypotheses=(tied_somewhere(actions),),
        claims=(
            Claim("sup norm of the change", size, float(np.abs(change).max()), "<=", slack),
            Claim("least entry of the change", -mdp.gamma * size, float(change.min()), ">=", slack),
            Claim("lead of a2 after the change", size, lead, "=", slack + 2.0 * error_after),
        ),
    )


def _reward_of(mdp: MDP, q: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
    """Q - gamma P max Q."""
    top = np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.offsets[:-1]))
    return np.asarray(q - mdp.gamma * (mdp.transitions @ top))


def check_selections(instance: Instance) -> Outcome:
    """A stochastic selection p jumps by 1 - min p when its least likely action is raised; uniform is the least bad."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    members = actions.pairs(tied_state(actions))
    weights = instance.generator("Erratum 3").uniform(0.1, 1.0, members.size)
    selection = weights / weights.sum()
    jumps = [_jump(mdp, members, selection, position) for position in range(members.size)]
    even = [_jump(mdp, members, np.full(members.size, 1.0 / members.size), i) for i in range(members.size)]
    return Outcome(
        hypotheses=(tied_somewhere(actions),),
        claims=(
            Claim("largest jump of a random selection", 1.0 - float(selection.min()), max(jumps), "=", 1e-12),
            Claim("the uniform selection's jump is no larger", max(jumps), max(even), "<=", 1e-12),
        ),
    )


def _jump(mdp: MDP, members: np.ndarray, selection: np.ndarray, raised: int) -> float:
    """Total variation at the tied state between the selection and what is optimal once one member is raised."""
    nudge = 1e-3 * reward_scale(mdp)
    q, error = measured_q(mdp, mdp.rewards + nudge * (np.arange(mdp.n_pairs) == members[raised]))
    after = q[members] >= q[members].max() - 2.0 * error
    return float(0.5 * np.abs(selection - after / after.sum()).sum())


def check_slacker_without_future(instance: Instance) -> Outcome:
    """Prop 3.1 at gamma = 0: a tie that is reached only later proves nothing, for later rewards do not count."""
    mdp = replace(instance.mdp, gamma=0.0)
    actions = optimal_sets(mdp)
    state = tied_state(actions)
    start = _start_before(instance.mdp, state)
    found = Hypothesis("a tied state is reached from another state", holds=start >= 0)
    if tied_somewhere(actions).holds is not True or start < 0 or mdp.n_states > DENSE_LIMIT:
        return unmet(tied_somewhere(actions), found)
    members = actions.pairs(state)
    choice = np.array([int(actions.pairs(number)[0]) for number in range(mdp.n_states)])
    missing = (np.arange(mdp.n_pairs) == members[-1]).astype(np.float64)
    truth = mdp.rewards + missing
    best, error = measured_q(mdp, truth)
    loss = float(best[mdp.offsets[start] : mdp.offsets[start + 1]].max() - policy_values(mdp, choice, truth)[start])
    return Outcome(
        hypotheses=(tied_somewhere(actions), found),
        claims=(Claim("loss of the slacker at gamma = 0", 0.0, loss, "=", 2.0 * error + 1e-13),),
    )


def _start_before(mdp: MDP, state: int) -> int:
    """A state other than this one that reaches it under the uniform policy; -1 if there is none."""
    for start in np.flatnonzero(~mdp.terminal).tolist() if mdp.n_states <= DENSE_LIMIT else []:
        if start != state and _reaches(mdp, start, state):
            return start
    return -1


def _reaches(mdp: MDP, start: int, state: int) -> bool:
    gamma = mdp.gamma if mdp.gamma > 0.0 else 0.5
    from_here = (np.arange(mdp.n_states) == start).astype(np.float64)
    visits = state_visits(replace(mdp, gamma=gamma), uniform_policy(mdp), initial=from_here)
    return bool(visits[state] > 1e-12)


def check_reached_by_itself(instance: Instance) -> Outcome:
    """Prop 3.1: the trained policy itself must reach the tie; another optimal policy that does proves nothing.

    The root is tied between leaving, worth `elsewhere` under the missing reward, and going on to a tie worth 1.
    """
    rng = instance.generator("Erratum 5")
    gamma, elsewhere = float(rng.choice([0.5, 0.75, 1.0])), float(rng.integers(2, 10))
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 2] = kernel[0, 1, 1] = 1.0
    kernel[1, :, 2] = 1.0
    last = np.array([False, False, True])
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), gamma, terminal=last, initial=np.array([1.0, 0.0, 0.0]))
    actions = optimal_sets(mdp)
    missing = np.array([elsewhere, 0.0, 0.0, 1.0, 0.0])
    trained = np.array([0, 2, 4])
    best, error = measured_q(mdp, missing)
    loss = float(best[:2].max() - policy_values(mdp, trained, missing)[0])
    advantage = float(missing[3] - policy_values(mdp, trained, missing)[1])
    return Outcome(
        hypotheses=(
            Hypothesis("a tied action of s0 has a positive missing advantage", holds=advantage > 0.0),
            Hypothesis("an optimal policy of the training reward reaches s0", holds=bool(actions.members[1])),
        ),
        claims=(Claim("loss of the policy that does not reach s0", 0.0, loss, "=", 2.0 * error + 1e-13),),
    )


def check_any_bonus(instance: Instance) -> Outcome:
    """Prop 3.2 speaks of some bonus: a length penalty takes the better answer once it exceeds gap / extra length."""
    mdp = instance.mdp
    q, _ = measured_q(mdp)
    ranked = [np.sort(q[first:last])[::-1] for first, last in spans(mdp) if last - first > 1]
    gaps = [float(values[0] - values[1]) for values in ranked if values[0] - values[1] > 1e-6]
    some = Hypothesis("some state prefers one action to another", holds=bool(gaps))
    if not gaps:
        return unmet(some)
    extra = int(instance.generator("Erratum 6").integers(1, 50))
    low, high = 0.0, 2.0 * gaps[0] / extra
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        long_wins = _longer_wins(gaps[0], extra, middle)
        low, high = (middle, high) if long_wins else (low, middle)
    claim = Claim("largest harmless penalty a token", gaps[0] / extra, low, "=", high - low + 1e-12)
    return Outcome(hypotheses=(some,), claims=(claim,))


def _longer_wins(gap: float, extra: int, penalty: float) -> bool:
    """Whether a correct answer still beats a wrong one that is `extra` tokens shorter."""
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[gap - penalty * (extra + 1), -penalty]], 0.0)
    q, _ = measured_q(bandit)
    return bool(q[0] > q[1])


ERRATA = (
    Statement(
        number="Erratum 1",
        title="Thm 2.7 needs uniqueness at the reward only",
        says="Uniqueness at one reward spreads to a ball around it; it need not be assumed there.",
        example="unique chain",
        check=check_uniqueness,
    ),
    Statement(
        number="Erratum 2",
        title="Props 2.9 and 3.2 without the factor 1 + gamma",
        says="The constructed change lies between -gamma e and e, so its sup norm is at most e.",
        example="tied chain",
        check=check_factor,
    ),
    Statement(
        number="Erratum 3",
        title="Prop 2.10 for every selection",
        says="Any selection p, a stochastic one too, jumps by 1 - min p; the uniform one is the least bad.",
        example="tied bandit",
        check=check_selections,
    ),
    Statement(
        number="Erratum 4",
        title="Prop 3.1 needs gamma > 0, or a start at the tie",
        says="At gamma = 0 a tied state that is reached only later does not make the policy worse.",
        example="clever slacker",
        check=check_slacker_without_future,
    ),
    Statement(
        number="Erratum 5",
        title="Prop 3.1 needs the trained policy itself to reach the tie",
        says="That another policy, even one optimal for the training reward, reaches the tie proves nothing.",
        example="clever slacker",
        check=check_reached_by_itself,
    ),
    Statement(
        number="Erratum 6",
        title="Prop 3.2 promises some bonus, not any",
        says="A length penalty breaks ties only while it stays below the accuracy gap over the extra length.",
        example="graded completions",
        check=check_any_bonus,
    ),
)
