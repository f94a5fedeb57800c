from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, random_mdp, recipes
from hypothesis import given, settings

from policycliff.errors import InvalidInputError
from policycliff.values.exact import exact_q_values


@given(recipes())
@settings(max_examples=60, deadline=None)
def test_rational_policy_iteration_finds_the_optimum_exactly(recipe):
    mdp = random_mdp(**recipe)
    found = exact_q_values(mdp, mdp.offsets[:-1])
    assert [Fraction(int(q.p), int(q.q)) for q in found] == brute_force(mdp)[1]


def test_large_mdps_are_refused():
    with pytest.raises(InvalidInputError, match="at most 200"):
        exact_q_values(random_mdp(0, states=201, branching=1), np.zeros(201, np.int64))
