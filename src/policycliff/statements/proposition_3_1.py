"""Prop 3.1, the clever slacker: what the training reward leaves out makes one choice at a tie strictly worse.

A random missing reward, raised so that a tied action of a state which the trained policy reaches has advantage 1. The
certificate is compared with dense linear algebra: which pairs prove it, what one switch gains, what is lost.
"Reachable" means reached by the trained policy itself, at gamma = 0 an initial state (see
`policycliff.cliffs.degeneracy.incomplete`).
"""

import numpy as np

from policycliff.actions.kernels import TIED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.incomplete import incomplete_reward_certificate
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.statements.facts import moving_pairs, optimal_sets, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT, measured_q, policy_values, rounding
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet

States = Bool[np.ndarray, " states"]
Choice = Int64[np.ndarray, " states"]
Rewards = Float64[np.ndarray, " pairs"]


def check(instance: Instance) -> Outcome:
    """Certificate beside dense algebra."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    if mdp.n_states > DENSE_LIMIT:
        return Outcome(too_large=f"more than {DENSE_LIMIT} states for dense algebra")
    choice = np.array([int(actions.pairs(state)[0]) for state in range(mdp.n_states)])
    reached = _reached(mdp, choice)
    found = np.flatnonzero(reached & (actions.codes == TIED))
    hypothesis = Hypothesis("the trained policy reaches a tied state", holds=bool(found.size))
    if not found.size:
        return unmet(tied_somewhere(actions), hypothesis)
    missing = _missing(instance, choice, int(actions.pairs(int(found[0]))[-1]))
    return Outcome(hypotheses=(tied_somewhere(actions), hypothesis), claims=_claims(actions, choice, reached, missing))


def _claims(actions: OptimalActions, choice: Choice, reached: States, missing: Rewards) -> tuple[Claim, ...]:
    mdp = actions.mdp
    start = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    policy = np.zeros(mdp.n_pairs)
    policy[choice] = 1.0
    certificate = incomplete_reward_certificate(mdp, missing, policy=policy)
    total = mdp.rewards + missing
    best, error = measured_q(mdp, total)
    values = policy_values(mdp, choice, total)
    large = float(np.abs(total).max()) + float(np.abs(values).max())
    slack = 2.0 * error + rounding(mdp, large)
    top = np.where(mdp.terminal, 0.0, np.maximum.reduceat(best, mdp.offsets[:-1]))
    switched = choice.copy()
    if certificate.states.size:
        state = int(certificate.states[0])
        switched[state] = mdp.pair(state, int(certificate.actions[0]))
    gain = float(start @ (policy_values(mdp, switched, total) - values))
    loss = float(start @ (top - values))
    proofs = actions.members & reached[mdp.pair_states] & (_advantages(mdp, choice, missing) > max(slack, 1e-9))
    return (
        Claim(
            "loss of the trained policy, at least what one switch gains",
            certificate.one_step_gain,
            loss,
            ">=",
            slack,
            large,
        ),
        Claim("that gain is positive", 0.0, certificate.one_step_bracket[0], ">="),
        Claim("gain of the strongest switch", certificate.one_step_gain, gain, "=", slack, large),
        Claim("loss of the trained policy", certificate.loss, loss, "=", slack, large),
        Claim("pairs that prove it", float(certificate.states.size), float(proofs.sum()), "="),
    )


def _reached(mdp: MDP, choice: Choice) -> States:
    """States that the policy visits with positive discounted weight, by powers of its dense kernel."""
    now = np.zeros(mdp.n_states, dtype=bool) if mdp.initial is None else mdp.initial > 0.0
    kernel = mdp.transitions[choice].toarray() > 0.0
    for _ in range(mdp.n_states if mdp.gamma > 0.0 else 0):
        now = now | (now @ kernel)
    return np.asarray(now)


def _advantages(mdp: MDP, choice: Choice, rewards: Rewards) -> Rewards:
    values = policy_values(mdp, choice, rewards)
    return np.asarray(rewards + mdp.gamma * (mdp.transitions @ values) - values[mdp.pair_states])


def _missing(instance: Instance, choice: Choice, pair: int) -> Rewards:
    """Random eighths, and as much more on the pair as gives it advantage 1 (which moves no value of the policy)."""
    mdp = instance.mdp
    missing = instance.generator("Prop 3.1").integers(-8, 9, mdp.n_pairs) / 8.0 * moving_pairs(mdp)
    missing[pair] += 1.0 - _advantages(mdp, choice, missing)[pair]
    return np.asarray(missing)


STATEMENT = Statement(
    number="Prop 3.1",
    title="The clever slacker",
    says="If a tied action, in a state that the trained policy reaches, is better under the missing reward, that "
    "policy is strictly suboptimal for training reward + missing reward.",
    example="clever slacker",
    check=check,
)
