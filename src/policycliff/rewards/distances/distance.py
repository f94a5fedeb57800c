"""How far two rewards are from each other: five pseudometrics, each with its error bound.

| kind | distance | blind to |
| --- | --- | --- |
| "sup" | ||r1 - r2||_inf over pairs | nothing |
| "shaping" | the same modulo gamma P Phi - Phi | shaping |
| "epic" | Pearson distance of canonical rewards over (s, a, s') (Gleave et al. 2021) | shaping over (s, a, s'), scale |
| "dard" | the same with the dynamics in the canonical reward (Wulfe et al. 2022) | as EPIC |
| "starc" | distance of normalised canonical rewards (Skalse et al. 2024) | shaping, redistribution over s', scale |

Scale means a positive factor. Against the stability radius rho of r1 (proofs in docs/theory-core.md): no optimal
policy flips while "sup" or "shaping" is below rho. For "starc", whatever the metric, none flips while scales[0] *
distance < rho and r2 is not trivial. EPIC and DARD average over a coverage distribution: see the reference page.

"sup", "shaping" and "starc" see the mean of a pair over its next states; EPIC and DARD see transitions.

Sources: Gleave, Dennis, Legg, Russell and Leike, Quantifying Differences in Reward Functions (2021); Wulfe et al.,
Dynamics-Aware Comparison of Learned Reward Functions (2022); Skalse et al., STARC (2024).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from policycliff.mdp.messages import check_choice, check_distribution, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.rewards.distances.canonical import dard_canonical, epic_canonical
from policycliff.rewards.distances.coverage import TRANSITIONS, UNIFORM, make_coverage
from policycliff.rewards.distances.forms import UNIT_ROUNDOFF, GivenReward, given_reward
from policycliff.rewards.distances.result import CERTIFIED, RewardDistance
from policycliff.rewards.distances.shaping import shaping_distance
from policycliff.rewards.distances.standardised import pearson_distance
from policycliff.rewards.distances.starc import (
    MINIMAL,
    NORMS,
    VALUE,
    make_norms,
    minimal_canonical,
    starc_distance,
    value_canonical,
)
from policycliff.shapes import Float64
from policycliff.values.regularizers import check_policy

KINDS = ("sup", "shaping", "epic", "dard", "starc")
OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sup": (),
        "shaping": (),
        "epic": ("policy", "state_distribution", "coverage"),
        "dard": ("policy", "coverage"),
        "starc": ("policy", "canonical", "norm", "metric"),
    }
)


def reward_distance(
    mdp: MDP,
    r1: Any,
    r2: Any,
    *,
    kind: str,
    policy: Any = None,
    state_distribution: Any = None,
    coverage: Any = None,
    canonical: str | None = None,
    norm: str | None = None,
    metric: str | None = None,
) -> RewardDistance:
    """The distance between two rewards of one MDP.

    Args:
        mdp: the MDP; its own rewards do not matter.
        r1: a reward: (pairs,), (S,) or (S, A), finite, 0 at terminal states; or over transitions, (S, A, S), where the
            row of a terminal state stands for every action there and may hold anything.
        r2: the other one, in any of these forms.
        kind: "sup", "shaping", "epic", "dard" or "starc".
        policy: (pairs,) "epic" and "dard": the distribution D_A of actions, by default uniform (for "dard" the same in
            all states); "starc": the fixed policy of the canonical form "value", by default uniform.
        state_distribution: (S,) "epic": D_S, by default uniform.
        coverage: "epic" and "dard": over which transitions the rewards are compared. "uniform": all (s, a, s') of
            states that are not terminal alike (default of "epic"); "transitions": pairs alike, next states by the
            kernel (default of "dard"); (pairs,) weights, next states by the kernel; or (S, A, S) weights.
        canonical: "starc": "value" (default) or "minimal".
        norm: "starc": n, which normalises: "1", "2" (default) or "inf".
        metric: "starc": m, in which the distance is taken; by default the same as `norm`.

    Returns:
        A `RewardDistance`: "sup" and "shaping" in units of reward; "epic" and "dard" in [0, 1]; "starc" in [0, 2] where
        m is n.

    Raises:
        InvalidInputError: a wrong reward, distribution or word, an option that another kind has, or for "dard" states
            with different actions.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, reward_distance
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.5)
        >>> reward_distance(bandit, [1.0, 0.0, 0.0], [2.0, 1.0, 1.0], kind="sup").value
        1.0
        >>> round(reward_distance(bandit, [1.0, 0.0, 0.0], [2.0, 1.0, 1.0], kind="shaping").value, 9)
        0.0
    """
    check_mdp(mdp)
    check_choice("kind", kind, KINDS)
    given = {
        "policy": policy,
        "state_distribution": state_distribution,
        "coverage": coverage,
        "canonical": canonical,
        "norm": norm,
        "metric": metric,
    }
    _refuse_others(kind, given)
    absolute = kind in {"sup", "shaping"}
    first, second = (given_reward(name, mdp, r, in_units=not absolute) for name, r in (("r1", r1), ("r2", r2)))
    if absolute:
        return _absolute(mdp, first, second, kind=kind)
    weights = _uniform(mdp) if policy is None else check_policy("policy", policy, mdp)
    who = "uniform" if policy is None else "given"
    if kind == "starc":
        found = _starc(mdp, first, second, policy=weights, who=who, words=(canonical, norm, metric))
    else:
        found = _pearson(mdp, first, second, kind=kind, policy=weights, who=who, where=(state_distribution, coverage))
    if found.scales is not None:
        with np.errstate(over="ignore"):
            units = [float(np.ldexp(scale, r.exponent)) for scale, r in zip(found.scales, (first, second), strict=True)]
        found = replace(found, scales=(units[0], units[1]))
    same = first.is_same(second)
    return replace(found, value=0.0, error_bound=0.0, status=CERTIFIED) if same else found


def _refuse_others(kind: str, given: Mapping[str, Any]) -> None:
    """Raise on an option that this kind does not have."""
    for name, value in given.items():
        if value is not None and name not in OPTIONS[kind]:
            raise fail(
                got=f"`{name}` with kind = {kind!r}",
                expected=f"one of the options of this kind: {OPTIONS[kind] or 'none'}",
                remedy=f"Drop `{name}`.",
            )


def _absolute(mdp: MDP, first: GivenReward, second: GivenReward, *, kind: str) -> RewardDistance:
    """The sup norm of the difference, as it is or modulo shaping."""
    with np.errstate(over="ignore"):
        difference = first.pairs - second.pairs
    if not np.isfinite(difference).all():
        raise fail(
            got="`r1` and `r2` whose difference is beyond the largest float",
            expected="rewards of a size below 1e307",
            remedy="Divide both by the same number: the distance is divided by it too.",
        )
    exact = bool((difference + second.pairs == first.pairs).all() and (first.pairs - difference == second.pairs).all())
    error = first.error + second.error
    error += 0.0 if exact else UNIT_ROUNDOFF * float(np.abs(difference).max())
    if kind == "sup":
        value = float(np.abs(difference).max())
        return RewardDistance(value, kind, error, CERTIFIED, MappingProxyType({}), None, None)
    value, gap, status, potential = shaping_distance(mdp, difference, error=error)
    return RewardDistance(value, kind, gap, status, MappingProxyType({}), None, potential)


def _pearson(
    mdp: MDP,
    first: GivenReward,
    second: GivenReward,
    *,
    kind: str,
    policy: Float64[np.ndarray, " pairs"],
    who: str,
    where: tuple[Any, Any],
) -> RewardDistance:
    """EPIC or DARD."""
    states, covered = where
    cover = make_coverage(mdp, (UNIFORM if kind == "epic" else TRANSITIONS) if covered is None else covered)
    settings = {"policy": who, "coverage": cover.name}
    if kind == "epic":
        settings["state_distribution"] = "uniform" if states is None else "given"
        uniform = np.full(mdp.n_states, 1.0 / mdp.n_states)
        spread = uniform if states is None else check_distribution("state_distribution", states, mdp.n_states)
        rewards = [epic_canonical(mdp, r, policy=policy, state_distribution=spread) for r in (first, second)]
    else:
        rewards = [dard_canonical(mdp, r, policy=policy) for r in (first, second)]
    value, error, status, scales = pearson_distance(rewards[0], rewards[1], cover)
    return RewardDistance(value, kind, error, status, MappingProxyType(settings), scales, None)


def _starc(
    mdp: MDP,
    first: GivenReward,
    second: GivenReward,
    *,
    policy: Float64[np.ndarray, " pairs"],
    who: str,
    words: tuple[str | None, str | None, str | None],
) -> RewardDistance:
    """A STARC distance."""
    canonical = check_choice("canonical", VALUE if words[0] is None else words[0], (VALUE, MINIMAL))
    norm = check_choice("norm", "2" if words[1] is None else words[1], NORMS)
    metric = check_choice("metric", norm if words[2] is None else words[2], NORMS)
    if canonical == MINIMAL and who == "given":
        raise fail(got="`policy` with canonical = 'minimal'", expected="no policy", remedy="Drop `policy`.")
    norms = make_norms(mdp, canonical)
    if canonical == VALUE:
        forms = [value_canonical(mdp, r, norms, policy=policy) for r in (first, second)]
    else:
        forms = [minimal_canonical(mdp, r, norms) for r in (first, second)]
    value, error, status, scales = starc_distance(forms[0], forms[1], norms, norm=norm, metric=metric)
    settings = {"canonical": canonical, "norm": norm, "metric": metric}
    if canonical == VALUE:
        settings["policy"] = who
    return RewardDistance(value, "starc", error, status, MappingProxyType(settings), scales, None)


def _uniform(mdp: MDP) -> Float64[np.ndarray, " pairs"]:
    """Every action alike."""
    sizes = np.diff(mdp.offsets)
    return np.asarray(np.repeat(1.0 / sizes, sizes))
