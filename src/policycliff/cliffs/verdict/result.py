"""What `analyze_mdp` returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.phases.phases import MixturePhases
from policycliff.cliffs.radius.result import StabilityRadius, finite
from policycliff.cliffs.radius.weight_radius import WeightRadius
from policycliff.mdp.sources.source import MDPSource
from policycliff.shapes import Bool, Float64

STATES_IN_JSON = 20_000
LEVELS = ("critical", "warning", "note", "good")


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the verdict.

    Attributes:
        level: "critical", "warning", "note" or "good".
        title: what it is about.
        value: the figure, as a short text.
        text: one or two plain sentences.
        statement: the statement of the paper or the result behind it.
    """

    level: str
    title: str
    value: str
    text: str
    statement: str

    def to_dict(self) -> dict[str, str]:
        """Everything as JSON types."""
        return {
            "level": self.level,
            "title": self.title,
            "value": self.value,
            "text": self.text,
            "statement": self.statement,
        }


@dataclass(frozen=True, slots=True, eq=False)
class TiePrice:
    """What the choice among tied optima decides of one reward component.

    Attributes:
        name: the component.
        worst: least return of the component among policies that are optimal for the mixture.
        best: largest one.
    """

    name: str
    worst: float
    best: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {"name": self.name, "worst": self.worst, "best": self.best, "decided": self.best - self.worst}


@dataclass(frozen=True, slots=True, eq=False)
class Steadiness:
    """An entropy coefficient that is proven to keep the soft policy in place.

    Attributes:
        reward_error: how far rewards may be off.
        total_variation: how far the policy may then move in any state.
        temperature: the coefficient.
        regret_bound: the most return that it costs; where calibrated, what it costs from the start.
        is_calibrated: whether this is for this very reward and this coefficient; if not, larger ones do as well, on
            this world under every reward.
    """

    reward_error: float
    total_variation: float
    temperature: float
    regret_bound: float
    is_calibrated: bool

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "reward_error": self.reward_error,
            "total_variation": self.total_variation,
            "temperature": finite(self.temperature),
            "regret_bound": finite(self.regret_bound),
            "is_calibrated": self.is_calibrated,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MDPAnalysis:
    """Where the optimum of an MDP is tied, how far the reward is from the cliff, and what to do about it.

    Attributes:
        source: the MDP under the mixture that was analysed, with its components.
        values: (states,) optimal values.
        actions: sets of optimal actions, each unique, tied or unresolved.
        reached: (states,) which states some optimal policy reaches; None without an initial distribution.
        visits: (states,) discounted visits of the first optimal policy; None without an initial distribution.
        radius: the stability radius over all states.
        reached_radius: the one that counts behaviour from the start only; None without an initial distribution.
        weight_radius: distance of the weights from the nearest change; None for one reward or negative weights.
        component_radii: the radius of each component alone; empty for one reward.
        phases: the cells of the weights, as seen from the start; None but for two or three rewards on up to 500 states
            with an initial distribution and weights of at least 0.
        tie_prices: for each component what ties decide; empty for one reward or without ties.
        steadiness: an entropy coefficient that is proven to hold the policy.
        findings: the verdict, most serious first.
        advice: what to do, in plain sentences.
    """

    source: MDPSource
    values: Float64[np.ndarray, " states"]
    actions: OptimalActions
    reached: Bool[np.ndarray, " states"] | None
    visits: Float64[np.ndarray, " states"] | None
    radius: StabilityRadius
    reached_radius: StabilityRadius | None
    weight_radius: WeightRadius | None
    component_radii: tuple[StabilityRadius, ...]
    phases: MixturePhases | None
    tie_prices: tuple[TiePrice, ...]
    steadiness: Steadiness
    findings: tuple[Finding, ...]
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types; states one by one for MDPs of up to 20,000 states."""
        mdp = self.source.mdp
        return {
            "policycliff": version("policycliff"),
            "source": self.source.to_dict(),
            "verdict": [finding.to_dict() for finding in self.findings],
            "advice": list(self.advice),
            "counts": self.counts(),
            "log_optimal_policies": self.actions.log_optimal_policies,
            "radius": _brief(self.radius),
            "reached_radius": None if self.reached_radius is None else _brief(self.reached_radius),
            "weight_radius": None if self.weight_radius is None else self.weight_radius.to_dict(),
            "component_radii": [
                {"name": name, **_brief(radius)}
                for name, radius in zip(self.source.reward_names, self.component_radii, strict=False)
            ],
            "phases": None if self.phases is None else self.phases.to_dict(),
            "tie_prices": [price.to_dict() for price in self.tie_prices],
            "steadiness": self.steadiness.to_dict(),
            "states": [self.state(s) for s in range(mdp.n_states)] if mdp.n_states <= STATES_IN_JSON else None,
            "grid": _grid(self.source),
        }

    def counts(self) -> dict[str, int | None]:
        """How many states are unique, tied and unresolved, and how many of the tied ones are reached."""
        codes, alive = self.actions.codes, ~self.source.mdp.terminal
        result: dict[str, int | None] = {
            name: int((alive & (codes == code)).sum()) for code, name in enumerate(("unique", "tied", "unresolved"))
        }
        result["terminal"] = int((~alive).sum())
        result["tied_and_reached"] = None if self.reached is None else int((self.reached & (codes == 1)).sum())
        return result

    def state(self, state: int) -> dict[str, Any]:
        """One state as JSON types."""
        mdp = self.source.mdp
        radii = self.radius.state_radii
        names = mdp.state_names
        return {
            "state": state,
            "name": str(state) if names is None else names[state],
            "terminal": bool(mdp.terminal[state]),
            "value": float(self.values[state]),
            "status": str(self.actions.status[state]),
            "gap": finite(float(self.actions.gaps[state])),
            "optimal_actions": [] if mdp.terminal[state] else [short_action(self.source, p) for p in self.pairs(state)],
            "reached": None if self.reached is None else bool(self.reached[state]),
            "visits": None if self.visits is None else float(self.visits[state]),
            "radius": None if radii is None else finite(float(radii[state])),
        }

    def pairs(self, state: int) -> Sequence[int]:
        """The optimal pairs of a state."""
        return [int(pair) for pair in self.actions.pairs(state)]

    def __repr__(self) -> str:
        counts = self.counts()
        verdict = "; ".join(f"{finding.title}: {finding.value}" for finding in self.findings)
        return (
            f"MDPAnalysis({self.source.name}: {counts['unique']} unique, {counts['tied']} tied, "
            f"{counts['unresolved']} unresolved; {verdict})"
        )


def short_action(source: MDPSource, pair: int) -> str:
    """An action's name, or its number."""
    mdp = source.mdp
    label = int(mdp.actions[pair])
    return str(label) if mdp.action_names is None else mdp.action_names[label]


def _brief(radius: StabilityRadius) -> dict[str, Any]:
    """A radius without its long arrays."""
    whole = radius.to_dict()
    return {key: value for key, value in whole.items() if key not in {"witness", "component_witness", "state_radii"}}


def _grid(source: MDPSource) -> dict[str, Any] | None:
    layout = source.layout
    if layout is None:
        return None
    return {
        "cells": layout.cells.tolist(),
        "layers": layout.layers.tolist(),
        "layer_names": list(layout.layer_names),
    }
