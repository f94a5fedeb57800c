"""How far the soft policy can move when the reward is off by epsilon: bounds, derivative and measured worst case.

Theory. The soft optimum at temperature alpha is pi(a|s) proportional to base(a|s) exp(Q(s, a) / alpha). For all rewards
with |D| <= epsilon * u its total variation in a state s is at most

    linear     max_a epsilon H(s, a) / (2 alpha)    Prop 4.7, with H = 1 / (1 - gamma) there, `reward_horizon` here;
    sharp      tanh(linear)                         Result 4, attained by an instance with three states;
    mixing     tanh(span / (4 alpha))               the span of dQ(s, .) from two horizons, or from how fast the MDP
                                                    mixes: for u = 1 without terminal states
                                                    tanh((epsilon / 2 alpha) (1 + gamma tau_s / (1 - gamma tau)));
    certified  for this reward (`certified`)        equal to epsilon * local to first order in epsilon.

These are theorems, and each is at most the one before. Two more numbers are not bounds: epsilon * `local` is the
derivative at this reward, exact (or in a bracket, for states with more than 12 actions) as epsilon goes to 0;
`measured` is the largest shift that a search found, each one realised by a reward in the ball, so the truth is at
least that. With KL towards a reference beta takes the place of alpha.

Cost. Horizon bounds: one solve. The derivative: one solve with the transposed chain for each action of the requested
states. The certified bound needs all states and is left out where that is too many. Search: a few MDP solves a start.

Sources: paper, Proposition 4.7, Lemma C.2, section 3.4.
"""

from typing import Any

import numpy as np

from policycliff.cliffs.soft.certified import affordable, certified_shift, pair_rows
from policycliff.cliffs.soft.jacobian import SoftMap, StateRows
from policycliff.cliffs.soft.local import local_moduli, rows_of
from policycliff.cliffs.soft.problem import SoftProblem, check_epsilon, make_problem
from policycliff.cliffs.soft.result import COLUMNS, SoftPolicyBounds
from policycliff.cliffs.soft.search import soft_map_of, temperature_of, worst_case
from policycliff.cliffs.soft.sequences import sequence_bounds
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import state_visits
from policycliff.shapes import Float64, Int64
from policycliff.values.solution import Solution

MOST_STARTS = 100_000
MOST_STATES = 32
"""States whose derivative is computed by default where the MDP is too large for all of them."""


def soft_policy_bounds(
    mdp: MDP,
    epsilon: float,
    temperature: float,
    *,
    reference_policy: Any = None,
    mask: Any = None,
    half_widths: Any = None,
    states: Any = None,
    starts: int = 8,
    seed: int = 0,
) -> SoftPolicyBounds:
    """Bounds on the total variation of the soft policy over all rewards within epsilon (Prop 4.7, Result 4).

    Args:
        mdp: the MDP.
        epsilon: how far rewards may be off, at least 0, in units of reward.
        temperature: alpha of the entropy, or beta of the KL term with `reference_policy`; positive.
        reference_policy: (pairs,) probabilities that sum to 1 in each state; zeros are allowed.
        mask: (pairs,) boolean: the pairs whose reward may change; by default all.
        half_widths: (pairs,) at least 0: |D| <= epsilon * half_widths. Give this or `mask`.
        states: states to look at; by default all of them, or in large MDPs the 32 that the soft policy visits most.
        starts: climbs of the search from worst first-order directions; half as many from random vertices; 0 for none.
        seed: of the random vertices.

    Returns:
        A `SoftPolicyBounds`. Columns "linear" to "certified" are proven bounds in descending order.

    Raises:
        InvalidInputError: an argument is out of range or of the wrong length.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, soft_policy_bounds
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
        >>> bounds = soft_policy_bounds(bandit, 0.1, 0.5)
        >>> [round(bounds.worst(name), 6) for name in ("linear", "sharp", "certified", "measured")]
        [0.1, 0.099668, 0.099668, 0.098688]
    """
    check_mdp(mdp)
    radius, climbs, wanted = check_epsilon(epsilon), check_starts(starts), check_states(states, mdp)
    check_seed(seed)
    problem = make_problem(mdp, reference_policy=reference_policy, mask=mask, half_widths=half_widths)
    solution = problem.solve(temperature)
    chosen = default_states(problem, solution) if wanted is None else wanted
    return bounds_of(problem, solution, epsilon=radius, states=chosen, starts=climbs, seed=seed)


def bounds_of(
    problem: SoftProblem,
    solution: Solution,
    *,
    epsilon: float,
    states: Int64[np.ndarray, " chosen"],
    starts: int,
    seed: int,
) -> SoftPolicyBounds:
    """The bounds for a problem that was checked and solved."""
    mdp, temperature = problem.mdp, temperature_of(solution)
    linear = epsilon * problem.widest_q / (2.0 * temperature)
    sharp = np.tanh(linear)
    mixing = np.minimum(sharp, np.tanh(epsilon * problem.mixing_span / (4.0 * temperature)))
    soft_map = soft_map_of(problem, solution)
    everywhere = affordable(mdp)
    rows = rows_of(soft_map, np.arange(mdp.n_states) if everywhere else states)
    low, high, witnesses = local_moduli(problem, soft_map, rows)
    certified = mixing
    if everywhere and rows:
        certified = np.minimum(mixing, _certified(problem, solution, soft_map, rows=rows, local=high, epsilon=epsilon))
    weights = visit_weights(mdp, solution)
    wanted = {state: witnesses[state] for state in states.tolist() if state in witnesses}
    measured = worst_case(
        problem, solution, epsilon=epsilon, witnesses=wanted, weights=weights, starts=starts, seed=seed
    )
    columns = dict(zip(COLUMNS, (linear, sharp, mixing, certified, low, high, measured.shift), strict=True))
    return SoftPolicyBounds(
        epsilon=epsilon,
        temperature=temperature,
        kind="kl" if problem.reference else "entropy",
        paper_bound=paper_bound(problem, epsilon, temperature),
        states=frozen(states),
        **{name: frozen(column[states]) for name, column in columns.items()},
        means=None if weights is None else _means(columns, weights, states, measured.mean),
        change=problem.restriction.widen(measured.change),
        policy=problem.restriction.widen(solution.policy),
        policy_error=solution.policy_error_bound,
        sequence=sequence_bounds(problem, solution, epsilon=epsilon, starts=starts, seed=seed),
        solves=measured.solves,
    )


def paper_bound(problem: SoftProblem, epsilon: float, temperature: float) -> float:
    """Proposition 4.7 as it stands."""
    widest = float(problem.half_widths.max(initial=0.0))
    if epsilon * widest == 0.0:
        return 0.0
    slack = 1.0 - problem.mdp.gamma
    return epsilon * widest / (2.0 * temperature * slack) if slack > 0.0 else np.inf


def visit_weights(mdp: MDP, solution: Solution) -> Float64[np.ndarray, " states"] | None:
    """(states,) occupancy of the soft policy, normalised; None without an initial distribution."""
    if mdp.initial is None:
        return None
    visits = state_visits(mdp, solution.policy)
    total = float(visits.sum())
    return visits / total if total > 0.0 else visits


def default_states(problem: SoftProblem, solution: Solution) -> Int64[np.ndarray, " chosen"]:
    """All states, or the 32 that the soft policy visits most from the initial (else a uniform) distribution."""
    mdp = problem.mdp
    if affordable(mdp):
        return np.arange(mdp.n_states)
    start = np.full(mdp.n_states, 1.0 / mdp.n_states) if mdp.initial is None else mdp.initial
    visits = np.where(problem.choices > 1, state_visits(mdp, solution.policy, initial=start), -1.0)
    return np.sort(np.argsort(-visits, kind="stable")[:MOST_STATES])


def _certified(
    problem: SoftProblem,
    solution: Solution,
    soft_map: SoftMap,
    *,
    rows: list[StateRows],
    local: Float64[np.ndarray, " states"],
    epsilon: float,
) -> Float64[np.ndarray, " states"]:
    """The bound of `certified` at all states."""
    mdp, temperature = problem.mdp, soft_map.temperature
    pairs = pair_rows(mdp, rows, problem.half_widths, soft_map.mean_widths(problem.half_widths))
    rest = solution.policy.copy()
    rest[np.lexsort((rest, mdp.pair_states))[mdp.offsets[1:] - 1]] = 0.0
    others = np.add.reduceat(rest, mdp.offsets[:-1])
    widening = float(np.exp(min(2.0 * solution.error_bound / temperature, 700.0))) * (1.0 + 1e-9)
    return certified_shift(
        pairs,
        epsilon=epsilon,
        temperature=temperature,
        span=epsilon * problem.mixing_span,
        others=others * widening + 1e-300,
        local=local,
        policy_error=solution.policy_error_bound,
    )


def _means(
    columns: dict[str, Float64[np.ndarray, " states"]],
    weights: Float64[np.ndarray, " states"],
    states: Int64[np.ndarray, " chosen"],
    measured: float,
) -> dict[str, float]:
    """Occupancy-weighted means of the columns over the states."""
    shares = weights[states]
    total = float(shares.sum())
    means = {name: float(shares @ column[states]) / total if total > 0.0 else 0.0 for name, column in columns.items()}
    return {**means, "measured": measured}


def check_states(states: Any, mdp: MDP) -> Int64[np.ndarray, " chosen"] | None:
    """The states to look at, as indices; None for the default."""
    if states is None:
        return None
    try:
        wanted = np.atleast_1d(np.asarray(states))
    except ValueError:
        wanted = np.array([], dtype=np.float64)
    whole = wanted.ndim == 1 and wanted.size > 0 and np.issubdtype(wanted.dtype, np.integer)
    if not whole or wanted.min() < 0 or wanted.max() >= mdp.n_states:
        raise fail(
            got=f"`states` {states!r}",
            expected=f"state indices from 0 to {mdp.n_states - 1}",
            remedy="Pass a list of whole numbers.",
        )
    return np.asarray(wanted, dtype=np.int64)


def check_seed(seed: int) -> None:
    """The seed of the search."""
    if as_integer("seed", seed) < 0:
        raise fail(got=f"seed = {seed!r}", expected="a whole number of at least 0", remedy="Try 0.")


def check_starts(starts: int, *, least: int = 0) -> int:
    """How many climbs."""
    count = as_integer("starts", starts)
    if not least <= count <= MOST_STARTS:
        expected = f"a whole number from {least} to {MOST_STARTS}"
        raise fail(got=f"starts = {starts!r}", expected=expected, remedy="Try 8.")
    return count
