"""One MDP from end to end: sets of optimal actions, radii, what ties decide, and the verdict in plain words.

Everything here is computed elsewhere and put together: `optimal_actions` (Lemma 2.5), `stability_radius` (Result 1),
`mixture_phases` (Result 3) and `degeneracy_price` (Result 6) for the components of a reward tuple, and an entropy
coefficient: up to 200 states that of `calibrate_temperature` for this reward, with its regret; beyond from Result 4
with the reward horizon H of this world: rewards within e move Q by at most e H (Result 10), so the soft policy of
temperature a moves by at most tanh(e H / (2 a)) in total variation; its regret is at most a H log A.

Cost: a few solves, a second or two for the coefficient; one row of the resolvent a state for the radii of states (up to
1,000 states).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from policycliff.cliffs.degeneracy.optimal_sets import reached_within, settled
from policycliff.cliffs.degeneracy.price import degeneracy_price
from policycliff.cliffs.phases.phases import MixturePhases, mixture_phases
from policycliff.cliffs.radius.radius import stability_radius
from policycliff.cliffs.radius.result import StabilityRadius
from policycliff.cliffs.radius.weight_radius import WeightRadius
from policycliff.cliffs.soft.calibration import calibrate_temperature
from policycliff.cliffs.verdict.result import MDPAnalysis, Steadiness, TiePrice
from policycliff.cliffs.verdict.words import advice_of, findings_of
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, check_flag, check_kind, check_names, fail
from policycliff.mdp.model import MDP
from policycliff.mdp.sources.source import MDPSource, check_weights, plain_source, with_components
from policycliff.policies.occupancy import state_visits
from policycliff.shapes import Float64
from policycliff.values.horizon import reward_horizon
from policycliff.values.solve import solve, tight_tolerance

STATE_RADII_LIMIT = 1_000
CALIBRATION_LIMIT = 200
PHASES_OF, PHASES_LIMIT, PHASES_CELLS = (2, 3), 500, 200
DEFAULT_SHARE, MAX_SHIFT = 0.01, 0.1

Progress = Callable[[str, float], None]


def analyze_mdp(
    mdp: MDP | MDPSource,
    *,
    rewards: Any = None,
    weights: Any = None,
    reward_names: Any = None,
    reward_error: float | None = None,
    exact: bool = False,
    quick: bool = False,
    progress: Progress | None = None,
) -> MDPAnalysis:
    """Where the optimum is tied, how far the reward is from the cliff, which action overtakes, and what to do.

    Args:
        mdp: an MDP, or what `read_source` gave.
        rewards: (K, pairs) or (K, S, A) components in place of those that come with it.
        weights: (K,) their weights; by default those of the source, or equal ones.
        reward_names: K names.
        reward_error: the reward error that the advice guards against, at least 0; by default 1 % of the largest reward.
        exact: rational arithmetic for ties and radii (up to 200 states; 20,000 where acyclic).
        quick: leave out what takes seconds: the entropy coefficient of this very reward, and the cells of the weights.
        progress: takes what is being done and the share behind.

    Returns:
        An `MDPAnalysis`. Ties and radii are certified or marked "unresolved".

    Raises:
        InvalidInputError: an argument is wrong, or `exact` for an MDP that is too large.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, analyze_mdp
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0, initial=[1.0])
        >>> result = analyze_mdp(bandit)
        >>> result.findings[0].level, result.findings[0].value
        ('critical', '1 state')
    """
    show = progress if progress is not None else _say_nothing
    check_kind("mdp", mdp, (MDP, MDPSource), made_by="MDP.from_arrays or read_source")
    check_flag("exact", exact)
    source = mixture_source(mdp, rewards=rewards, weights=weights, reward_names=reward_names)
    error = _reward_error(source, reward_error)
    world = source.mdp
    show("solving", 0.1)
    solution = solve(world, tolerance=tight_tolerance(world.rewards))
    actions = settled(solution, exact=exact)
    reached = None if world.initial is None else frozen(reached_within(world, actions.members))
    show("radius", 0.3)
    radius = stability_radius(world, per_state=world.n_states <= STATE_RADII_LIMIT, exact=exact)
    reached_radius = None if world.initial is None else stability_radius(world, reachable_only=True, exact=exact)
    show("weights", 0.6)
    weight_radius, component_radii = _of_components(source, exact=exact)
    show("phases", 0.7)
    phases = None if quick else _phases(source)
    show("ties", 0.8)
    analysis = MDPAnalysis(
        source=source,
        values=solution.values,
        actions=actions,
        reached=reached,
        visits=None if world.initial is None else frozen(state_visits(world, solution.policy)),
        radius=radius,
        reached_radius=reached_radius,
        weight_radius=weight_radius,
        component_radii=component_radii,
        phases=phases,
        tie_prices=_tie_prices(source, tied=bool((actions.counts > 1).any()), exact=exact),
        steadiness=_steadiness(world, error, quick=quick),
        findings=(),
        advice=(),
    )
    return replace(analysis, findings=findings_of(analysis), advice=advice_of(analysis))


def mixture_source(mdp: MDP | MDPSource, *, rewards: Any, weights: Any, reward_names: Any) -> MDPSource:
    """The source under the mixture that is asked for.

    Raises:
        InvalidInputError: components, weights or names that do not fit together.
    """
    source = plain_source(mdp) if isinstance(mdp, MDP) else mdp
    if rewards is None and weights is None and reward_names is None:
        return source
    if rewards is None:
        components = source.rewards
        default = source.reward_names
    else:
        listed = list(rewards) if np.iterable(rewards) and not isinstance(rewards, str | dict) else []
        if not listed or np.ndim(listed[0]) == 0:
            raise fail(
                got="`rewards` that is not a list of components",
                expected="K components, (K, pairs) or (K, S, A)",
                remedy="Put the components on the first axis.",
            )
        components = np.stack([source.mdp.with_rewards(component).rewards for component in listed])
        default = tuple(f"reward_{k}" for k in range(len(listed)))
    names = check_names("reward_names", reward_names, len(components)) or default
    given = source.weights if weights is None and rewards is None else weights
    mixture = None if given is None else check_weights(given, len(components))
    return with_components(source, components, reward_names=names, weights=mixture)


def _of_components(source: MDPSource, *, exact: bool) -> tuple[WeightRadius | None, tuple[StabilityRadius, ...]]:
    """The radius of the weights, and of each component alone."""
    size = len(source.reward_names)
    if size == 1:
        return None, ()
    group: dict[str, Any] = {"rewards": source.rewards, "weights": source.weights, "exact": exact}
    moved = None if (source.weights < 0.0).any() else stability_radius(source.mdp, moving="weights", **group)
    alone = tuple(stability_radius(source.mdp, moving="component", component=k, **group) for k in range(size))
    return moved, alone


def _phases(source: MDPSource) -> MixturePhases | None:
    """The cells of the weights from the start, for two or three components on an MDP of moderate size."""
    n_rewards, total = len(source.reward_names), float(source.weights.sum())
    drawn = n_rewards in PHASES_OF and source.mdp.n_states <= PHASES_LIMIT and source.mdp.initial is not None
    if not drawn or (source.weights < 0.0).any() or total <= 0.0:
        return None
    return mixture_phases(source.mdp, source.rewards, weights=source.weights / total, max_cells=PHASES_CELLS)


def _tie_prices(source: MDPSource, *, tied: bool, exact: bool) -> tuple[TiePrice, ...]:
    """Best and worst return of each component among the optimal policies of the mixture."""
    if not tied or len(source.reward_names) == 1 or source.mdp.initial is None:
        return ()
    prices = []
    for name, component in zip(source.reward_names, source.rewards, strict=True):
        price = degeneracy_price(source.mdp, component, exact=exact)
        prices.append(TiePrice(name, price.worst, price.best))
    return tuple(prices)


def _steadiness(mdp: MDP, error: float, *, quick: bool) -> Steadiness:
    """A temperature that is proven to keep the soft policy in place, and the regret that it can cost at most."""
    if not quick and error > 0.0 and mdp.n_states <= CALIBRATION_LIMIT and mdp.initial is not None:
        found = calibrate_temperature(mdp, error, MAX_SHIFT, temperatures=[1.0], starts=1)
        if found.price is not None and found.certified > 0.0:
            regret = found.price.regret + found.price.regret_error
            return Steadiness(error, MAX_SHIFT, found.certified, regret, is_calibrated=True)
    horizon = float(reward_horizon(mdp).max())
    temperature = error * horizon / (2.0 * float(np.arctanh(MAX_SHIFT)))
    choices = int(np.diff(mdp.offsets).max())
    bound = temperature * horizon * float(np.log(choices))
    return Steadiness(error, MAX_SHIFT, temperature, bound, is_calibrated=False)


def _reward_error(source: MDPSource, given: float | None) -> float:
    if given is None:
        return DEFAULT_SHARE * largest_reward(source.mdp.rewards)
    error = as_number("reward_error", given)
    if not 0.0 <= error < np.inf:
        raise fail(got=f"reward_error = {given!r}", expected="a number of at least 0", remedy="Give one.")
    return error


def largest_reward(rewards: Float64[np.ndarray, " pairs"]) -> float:
    """The largest absolute reward."""
    return float(np.abs(rewards).max(initial=0.0))


def _say_nothing(_stage: str, _share: float) -> None:
    pass
