"""An independent reading of the audit's definitions: plain Python, fractions, enumeration. Slow, and written first."""

from fractions import Fraction
from itertools import combinations, pairwise
from math import comb, exp, inf, sqrt
from statistics import stdev


def exact(value):
    return Fraction(repr(value))


class Prompt:
    """One prompt: `rows` of (behaviour, {column: float or None})."""

    def __init__(self, rows, weights):
        self.rows = [row for row in rows if all(row[1][name] is not None for name, w in weights.items() if w)]
        self.weights = weights

    def effective(self, row):
        return sum((exact(w) * exact(row[1][name]) for name, w in self.weights.items() if w), Fraction(0))

    def values(self, score=None):
        score = score or self.effective
        drawn = {}
        for row in self.rows:
            drawn.setdefault(row[0], []).append(score(row))
        return {behaviour: sum(scores, Fraction(0)) / len(scores) for behaviour, scores in drawn.items()}

    def best(self, score=None):
        values = self.values(score)
        top = max(values.values())
        return {behaviour for behaviour, value in values.items() if value == top}

    def column(self, name):
        return lambda row: exact(row[1][name])

    def radius(self):
        values = sorted(self.values().values(), reverse=True)
        return None if len(values) < 2 else (values[0] - values[1]) / 2

    def set_radius(self):
        values = sorted(set(self.values().values()), reverse=True)
        return None if len(values) < 2 else (values[0] - values[1]) / 2

    def zero_spread(self):
        return len({self.effective(row) for row in self.rows}) == 1

    def spread(self):
        return stdev(float(self.effective(row)) for row in self.rows)

    def truth_over(self, behaviours, name):
        values = self.values(self.column(name))
        return [values[behaviour] for behaviour in behaviours]

    def weighted_truth(self, behaviours, name):
        rows = [exact(row[1][name]) for row in self.rows if row[0] in behaviours]
        return sum(rows, Fraction(0)) / len(rows)

    def subsets(self, k):
        return combinations(self.rows, k)

    def tie_probability(self, k):
        values = self.values()
        tied = 0
        for subset in self.subsets(k):
            present = {row[0] for row in subset}
            top = max(values[behaviour] for behaviour in present)
            tied += sum(values[behaviour] == top for behaviour in present) > 1
        return tied / comb(len(self.rows), k)

    def zero_spread_probability(self, k):
        flat = sum(len({self.effective(row) for row in subset}) == 1 for subset in self.subsets(k))
        return flat / comb(len(self.rows), k)

    def best_of(self, k, outcome, score=None):
        score = score or self.effective
        total = Fraction(0)
        for subset in self.subsets(k):
            top = max(score(row) for row in subset)
            winners = [exact(row[1][outcome]) for row in subset if score(row) == top]
            total += sum(winners, Fraction(0)) / len(winners)
        return float(total / comb(len(self.rows), k))

    def tilted(self, score, beta):
        weights = {}
        for row in self.rows:
            weights[row[0]] = weights.get(row[0], 0.0) + exp(float(score(row)) / beta)
        total = sum(weights.values())
        return {behaviour: weight / total for behaviour, weight in weights.items()}

    def total_variation(self, first, second, beta):
        one, two = self.tilted(first, beta), self.tilted(second, beta)
        return 0.5 * sum(abs(one[behaviour] - two[behaviour]) for behaviour in one)

    def best_at_factor(self, name, factor):
        def score(row):
            return sum(
                (
                    exact(w) * (factor if other == name else 1) * exact(row[1][other])
                    for other, w in self.weights.items()
                    if w
                ),
                Fraction(0),
            )

        return self.best(score)

    def walls(self, name):
        """(below, above, on_wall) by intersecting every pair of lines and testing on both sides of each crossing."""
        here = self.best()
        slopes = self.values(lambda row: exact(self.weights[name]) * exact(row[1][name]))
        values = self.values()
        crossings = {Fraction(1)}
        for one, two in combinations(values, 2):
            if slopes[one] != slopes[two]:
                crossings.add(1 + (values[one] - values[two]) / (slopes[two] - slopes[one]))
        ordered = sorted(crossings)
        step = min((b - a for a, b in pairwise(ordered)), default=Fraction(1)) / 3
        if any(self.best_at_factor(name, 1 + sign * step) != here for sign in (1, -1)):
            return 1.0, 1.0, True
        above = [f for f in ordered if f > 1 and self.best_at_factor(name, f + step) != here]
        below = [f for f in ordered if f < 1 and self.best_at_factor(name, f - step) != here]
        return float(max(below)) if below else -inf, float(min(above)) if above else inf, False


def mean(values):
    values = [float(value) for value in values]
    return sum(values) / len(values)


def std(values):
    values = [float(value) for value in values]
    centre = sum(values) / len(values)
    return sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1))
