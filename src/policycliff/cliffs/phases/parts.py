"""What a phase diagram is made of: cells, and the walls between them."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from policycliff.cliffs.radius.result import finite
from policycliff.shapes import Bool, Float64, Int64

EXACT, CERTIFIED, UNRESOLVED = "exact", "certified", "unresolved"
# Longer fractions are left out of `to_dict`: Python refuses to print integers of more than 4300 digits.
PRINTED_BITS = 4000

Fractions = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cell:
    """A part of the simplex of full dimension on which one value vector is optimal.

    Attributes:
        values: (n,) what its policy returns under each corner of the slice (each component, where all weights are
            free): the optimum in the cell is the mean of these with the shares as weights. From the initial
            distribution; without one, the mean over the states that are not terminal.
        policy: (pairs,) a deterministic policy that attains them.
        members: (pairs,) the optimal sets near the middle of the cell; at "everywhere" those of the whole cell.
        vertices: (v, n) corners of the cell as shares; in turn around it where n = 3.
        fractions: the same exactly; None in float arithmetic.
        centre: (n,) mean of the vertices.
        share: what part of the simplex it is (of its length, area, volume).
        log_policies: natural logarithm of a number of deterministic policies that all share the value vector: those
            that choose from `members` in every state ("everywhere": all there are), or wherever `members` can lead
            from the start, and anything elsewhere ("start": there can be more).
        error_bound: in the cell, the policy's value is below the optimum by at most this; 0 if exact.
        status: "exact"; "certified" (float, and `members` is proven); "unresolved" (some tie is open: `members` is a
            superset).
    """

    values: Float64[np.ndarray, " corners"]
    policy: Float64[np.ndarray, " pairs"]
    members: Bool[np.ndarray, " pairs"]
    vertices: Float64[np.ndarray, "vertices corners"]
    fractions: Fractions | None
    centre: Float64[np.ndarray, " corners"]
    share: float
    log_policies: float
    error_bound: float
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types; `fractions` are "p/q", or None where they are very long."""
        return {
            "values": self.values.tolist(),
            "policy": np.flatnonzero(self.policy).tolist(),
            "members": np.flatnonzero(self.members).tolist(),
            "vertices": self.vertices.tolist(),
            "fractions": _printed(self.fractions),
            "centre": self.centre.tolist(),
            "share": self.share,
            "log_policies": self.log_policies,
            "error_bound": finite(self.error_bound),
            "status": self.status,
        }

    def __repr__(self) -> str:
        values = ", ".join(f"{value:.6g}" for value in self.values[:6])
        return (
            f"Cell({100.0 * self.share:.4g} % of the simplex, {len(self.vertices)} vertices, values [{values}], "
            f"log of the number of policies {self.log_policies:.4g}, {self.status})"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Wall:
    """Where two cells meet in dimension n - 2: a point between intervals, a segment between polygons.

    Attributes:
        cells: the two cells.
        vertices: (v, n) corners of the wall, as shares.
        normal: (n,) the direction of shares, of 2-norm 1, in which the second cell lies.
        states: states in which the two cells have no optimal action in common, among those that both lead to.
        log_policies: like that of a cell, at the middle of the wall; it counts the policies of both cells and those
            that are optimal on the wall only.
        only_here: at "everywhere" in exact arithmetic, whether some policy is optimal on the wall and in neither cell;
            else None, not known.
        log_only_here: natural logarithm of the number of these policies; None if there are none or it is not known.
    """

    cells: tuple[int, int]
    vertices: Float64[np.ndarray, "vertices corners"]
    normal: Float64[np.ndarray, " corners"]
    states: Int64[np.ndarray, " some"]
    log_policies: float
    only_here: bool | None
    log_only_here: float | None

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "cells": list(self.cells),
            "vertices": self.vertices.tolist(),
            "normal": self.normal.tolist(),
            "states": self.states.tolist(),
            "log_policies": self.log_policies,
            "only_here": self.only_here,
            "log_only_here": self.log_only_here,
        }

    def __repr__(self) -> str:
        return f"Wall(between cells {self.cells[0]} and {self.cells[1]}; {self.states.size} states switch)"


def as_fraction(number: fmpq) -> Fraction:
    """A FLINT fraction as one of Python's."""
    return Fraction(int(number.p), int(number.q))


def _printed(fractions: Fractions | None) -> list[list[str]] | None:
    if fractions is None or any(
        max(entry.numerator.bit_length(), entry.denominator.bit_length()) > PRINTED_BITS
        for row in fractions
        for entry in row
    ):
        return None
    return [[str(entry) for entry in row] for row in fractions]
