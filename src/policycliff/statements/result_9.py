"""Result 9: the certificates of floating point, against rational arithmetic.

For every method the largest error of Q is at most what `solve` proves; no optimal action is missing from the sets,
and what is called unique or tied is so. Fractions are FLINT's, from policy iteration; that they are the optimum is
checked by Bellman's equation, term by term. No code is shared with the solvers beyond reading the MDP.
"""

import numpy as np
from flint import fmpq

from policycliff.actions.kernels import TIED, UNIQUE
from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.mdp.model import MDP
from policycliff.statements.instances import Instance
from policycliff.statements.measure import spans
from policycliff.statements.statement import Claim, Outcome, Statement
from policycliff.values.exact import Rationals, fits_exact, make_exact, rational, rationals
from policycliff.values.solution import Solution
from policycliff.values.solve import solve

METHODS = ("auto", "policy_iteration", "value_iteration")
TOLERANCES = (1e-4, 1e-12)


def check(instance: Instance) -> Outcome:
    """Errors by method and tolerance, and the sets of each solution."""
    mdp = instance.mdp
    if not fits_exact(mdp):
        return Outcome(too_large="too many states for rational arithmetic")
    exact = make_exact(mdp).optimise(rationals(mdp.rewards), mdp.offsets[:-1].tolist())[2]
    runs = [solve(mdp, method=method, tolerance=tolerance) for method in METHODS for tolerance in TOLERANCES]
    claims = [_off_optimality(mdp, exact), *(_error(solution, exact) for solution in runs)]
    wrong = sum(_wrong_states(optimal_actions(solution), exact) for solution in runs)
    return Outcome(claims=(*claims, Claim("wrong certificates of sets", 0.0, float(wrong), "=")))


def _off_optimality(mdp: MDP, exact: Rationals) -> Claim:
    """The largest residual of Bellman's equation in fractions, pair by pair: 0, so these are the optimal values."""
    best = [max(exact[first:last]) for first, last in spans(mdp)]
    values = [fmpq(0) if ends else value for ends, value in zip(mdp.terminal.tolist(), best, strict=True)]
    kernel, largest = mdp.transitions, fmpq(0)
    for pair, reward in enumerate(mdp.rewards.tolist()):
        row = slice(int(kernel.indptr[pair]), int(kernel.indptr[pair + 1]))
        weighted = zip(kernel.data[row].tolist(), kernel.indices[row].tolist(), strict=True)
        ahead = sum((rational(p) * values[state] for p, state in weighted), fmpq(0))
        largest = max(largest, abs(rational(reward) + rational(mdp.gamma) * ahead - exact[pair]))
    return Claim("residual of the fractions, computed anew", 0.0, float(largest), "=")


def _error(solution: Solution, exact: Rationals) -> Claim:
    error = max(abs(rational(x) - y) for x, y in zip(solution.q_values.tolist(), exact, strict=True))
    text = f"error of Q by {solution.method}, tolerance {solution.tolerance:g}"
    return Claim(text, solution.error_bound, float(error), "<=")


def _wrong_states(actions: OptimalActions, exact: Rationals) -> int:
    """States whose set misses an optimal action, or is called unique or tied where it is not exactly A*."""
    mdp = actions.mdp
    return sum(_is_wrong(actions, exact, mdp, state) for state in range(mdp.n_states))


def _is_wrong(actions: OptimalActions, exact: Rationals, mdp: MDP, state: int) -> bool:
    first, last = int(mdp.offsets[state]), int(mdp.offsets[state + 1])
    top: fmpq = max(exact[first:last])
    true = np.array([value == top for value in exact[first:last]])
    said = actions.members[first:last]
    if (true & ~said).any():
        return True
    single = bool(true.sum() == 1)
    code = int(actions.codes[state])
    return bool(code in {UNIQUE, TIED} and ((code == UNIQUE) != single or (true != said).any()))


STATEMENT = Statement(
    number="Result 9",
    title="Certificates are never wrong",
    says="Computed Q-values are within the proven bound of the exact optimum; sets called unique or tied are so.",
    example="tied chain",
    check=check,
)
