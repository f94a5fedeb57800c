"""Result 6: the price of degeneracy, what a tie-breaker decides and what none mends, for a random true reward.

Against enumeration of all policies where there are few; and against slopes. V*(R + t R_true) is convex in t with
right slope `best` and left slope `worst` at t = 0 (from the initial distribution), so every difference quotient to
the right is at least `best`, and every one to the left at most `worst`.
"""

import numpy as np

from policycliff.cliffs.degeneracy.price import DegeneracyPrice, degeneracy_price
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.facts import moving_pairs
from policycliff.statements.instances import Instance
from policycliff.statements.measure import can_enumerate, growth, measured_q, policies, policy_values, rounding
from policycliff.statements.statement import Claim, Outcome, Statement

STEP = 2.0**-6
ALLOWANCE = 1e-11

Rewards = Float64[np.ndarray, " pairs"]


def check(instance: Instance) -> Outcome:
    """Best, worst and optimum by other code."""
    mdp = instance.mdp
    true = instance.generator("Result 6").integers(-8, 9, mdp.n_pairs) / 8.0 * moving_pairs(mdp)
    price = degeneracy_price(mdp, true)
    return Outcome(claims=(*_enumerated(mdp, true, price), *_slopes(mdp, true, price), _optimum(mdp, true, price)))


def _enumerated(mdp: MDP, true: Rewards, price: DegeneracyPrice) -> list[Claim]:
    """Best and worst over all policies whose values are the largest in every state."""
    if not can_enumerate(mdp):
        return []
    start, slack = _start(mdp), ALLOWANCE * growth(mdp) * (1.0 + float(np.abs(mdp.rewards).max()))
    everything = [(policy_values(mdp, choice), choice) for choice in policies(mdp)]
    top = np.max([values for values, _ in everything], axis=0)
    optimal = [choice for values, choice in everything if (values >= top - slack).all()]
    returns = [float(start @ policy_values(mdp, choice, true)) for choice in optimal]
    error = ALLOWANCE * growth(mdp)
    return [
        Claim("best true return of an optimal policy", price.best, max(returns), "=", error),
        Claim("worst true return of an optimal policy", price.worst, min(returns), "=", error),
        Claim("log of the number of optimal policies", price.log_optimal_policies, np.log(len(optimal)), "=", 1e-9),
    ]


def _slopes(mdp: MDP, true: Rewards, price: DegeneracyPrice) -> list[Claim]:
    right, now, left = (_return(mdp, mdp.rewards + t * true) for t in (STEP, 0.0, -STEP))
    size = abs(now[0])
    error = (2.0 * max(right[1], now[1], left[1]) + rounding(mdp, float(np.abs(true).max()))) / STEP
    return [
        Claim("gain a unit of bonus, at least `best`", price.best, (right[0] - now[0]) / STEP, ">=", error, size),
        Claim("loss a unit of malus, at most `worst`", price.worst, (now[0] - left[0]) / STEP, "<=", error, size),
    ]


def _optimum(mdp: MDP, true: Rewards, price: DegeneracyPrice) -> Claim:
    value, error = _return(mdp, true)
    error += rounding(mdp, growth(mdp) * float(np.abs(true).max()))
    return Claim("best + misspecification is the true optimum", price.best + price.misspecification, value, "=", error)


def _return(mdp: MDP, rewards: Rewards) -> tuple[float, float]:
    q, error = measured_q(mdp, rewards)
    values = np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.offsets[:-1]))
    return float(_start(mdp) @ values), error


def _start(mdp: MDP) -> Float64[np.ndarray, " states"]:
    return np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial


STATEMENT = Statement(
    number="Result 6",
    title="The price of degeneracy",
    says="Best minus worst true return over the optimal policies is what an infinitesimal tie-breaker decides; the "
    "true optimum minus the best is what none mends.",
    example="clever slacker",
    check=check,
)
