"""Section 3.4: the KL optimum is proportional to pi_base exp(Q / beta), a tie-breaker towards the base.

Claimed by the soft solver; measured by dense evaluation of J = E sum gamma^t (R - beta KL(pi || pi_base)) for this
policy and for others.
"""

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.facts import optimal_sets, tied_somewhere, tied_state
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT, gibbs, rounding, state_tv, stochastic_values
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement
from policycliff.values.regularizers import KL
from policycliff.values.solve import solve

TRIALS = 20
BETA = 0.25


def check(instance: Instance) -> Outcome:
    """The closed form is the optimum of J; between equal continuations it keeps the ratio of the base."""
    mdp = instance.mdp
    small = Hypothesis(f"at most {DENSE_LIMIT} states, for dense evaluation", mdp.n_states <= DENSE_LIMIT)
    if not small.holds:
        return Outcome(too_large=small.text)
    rng = instance.generator("Sec 3.4")
    base = random_policy(mdp, rng)
    solution = solve(mdp, regularizer=KL(BETA, base), tolerance=1e-12)
    claimed, error = float(solution.values.sum()), mdp.n_states * (solution.error_bound + rounding(mdp, 1.0))
    found = [_objective(mdp, solution.policy, base)]
    found += [_objective(mdp, _between(solution.policy, random_policy(mdp, rng), rng), base) for _ in range(TRIALS)]
    error += mdp.n_states * rounding(mdp, float(np.abs(solution.values).max()))
    scale = mdp.n_states * max(float(np.abs(solution.values).max()), 1.0)
    value = stochastic_values(mdp, solution.policy, mdp.rewards - BETA * _relative(solution.policy, base))
    form = gibbs(mdp, mdp.rewards + mdp.gamma * (mdp.transitions @ value), base=base, temperature=BETA)
    form_error = 4.0 * rounding(mdp, float(np.abs(value).max()) + 1.0) / BETA + 2.0 * solution.policy_error_bound
    claims = [
        Claim("J of the closed form, summed over states", claimed, found[0], "=", error, scale),
        Claim(f"J of {TRIALS} other policies", claimed, max(found[1:]), "<=", error, scale),
    ]
    off = float(state_tv(mdp, solution.policy, form).max())
    claims.append(Claim("distance of base exp(Q / beta) / Z to the optimum", 0.0, off, "=", form_error, 1.0))
    actions = optimal_sets(mdp)
    tied = tied_somewhere(actions)
    if tied.holds and (ratio := _copied_pair(mdp, actions)) is not None:
        claims.append(_ratio_claim(solution.policy, base, ratio))
    supported = Hypothesis("the base policy gives every action a chance", holds=bool((base > 0.0).all()))
    return Outcome(hypotheses=(supported,), claims=tuple(claims))


def random_policy(mdp: MDP, rng: np.random.Generator) -> Float64[np.ndarray, " pairs"]:
    """A policy with every probability away from 0."""
    weights = rng.uniform(0.25, 1.0, mdp.n_pairs)
    return np.asarray(weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states])


def _between(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = 10.0 ** rng.uniform(-4.0, 0.0)
    return (1.0 - share) * first + share * second


def _objective(mdp: MDP, policy: np.ndarray, base: np.ndarray) -> float:
    """J from every state, summed, by a dense solve."""
    return float(stochastic_values(mdp, policy, mdp.rewards - BETA * _relative(policy, base)).sum())


def _relative(policy: np.ndarray, base: np.ndarray) -> np.ndarray:
    """log(pi / base), 0 where an action is never taken."""
    positive = policy > 0.0
    return np.where(positive, np.log(np.where(positive, policy, 1.0) / base), 0.0)


def _copied_pair(mdp: MDP, actions: OptimalActions) -> tuple[int, int] | None:
    """Two optimal actions of a tied state with one kernel row and one reward."""
    members = actions.pairs(tied_state(actions))
    first, second = int(members[0]), int(members[1])
    rows = mdp.transitions[[first, second]].toarray()
    alike = mdp.rewards[first] == mdp.rewards[second] and (rows[0] == rows[1]).all()
    return (first, second) if alike else None


def _ratio_claim(policy: np.ndarray, base: np.ndarray, pair: tuple[int, int]) -> Claim:
    """Between copies nothing but the base decides."""
    first, second = pair
    return Claim(
        "odds of two tied actions alike are those of the base",
        float(base[first] / base[second]),
        float(policy[first] / policy[second]),
        "=",
        1e-9,
    )


STATEMENT = Statement(
    number="Sec 3.4",
    title="KL breaks ties towards the base",
    says="The KL-regularised optimum is the base policy reweighted by exp(Q / beta); between ties the base decides.",
    example="tied chain",
    check=check,
)
