"""The grammar of rewards: columns and weighted sums of them."""

import pytest

from policycliff.errors import InvalidInputError
from policycliff.rollouts.questions.compare.mixture import mixture_of, written


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("rm", (("rm", 1.0),)),
        ("0.8*rm + 0.2*format", (("rm", 0.8), ("format", 0.2))),
        ("0.8*rm+0.2*format", (("rm", 0.8), ("format", 0.2))),
        ("  rm*.5 - 1e-3 * n_chars ", (("rm", 0.5), ("n_chars", -0.001))),
        ("-length", (("length", -1.0),)),
        ("+ rm -2.*b", (("rm", 1.0), ("b", -2.0))),
        ('3*"my score + 1" + reward/len.v2:x', (("my score + 1", 3.0), ("reward/len.v2:x", 1.0))),
        ("helpful-score - harm", (("helpful-score", 1.0), ("harm", -1.0))),
        ("größe", (("größe", 1.0),)),
    ],
)
def test_texts_that_follow_the_grammar(text, terms):
    assert mixture_of(text) == terms
    assert mixture_of(written(terms)) == terms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected NAME or NUMBER.NAME at character 1"),
        ("rm +", "expected NAME or NUMBER.NAME at character 5"),
        ("rm format", "expected . or - at character 4"),
        ("0.5", "expected NAME or NUMBER.NAME at character 1"),
        ("2rm", "cannot be read at character 1"),
        ("rm * format", "expected NAME or NUMBER.NAME at character 1"),
        ("a - - b", "expected NAME or NUMBER.NAME at character 5"),
        ("max(a)", "cannot be read at character 4"),
        ('"open', "cannot be read at character 1"),
        ("__import__('os')", "cannot be read at character 11"),
        ("a + 0.5*a", "has the column 'a' twice"),
        ("0*a", "other than 0"),
        ("1e400*a", "other than 0, up to"),
    ],
)
def test_texts_that_do_not(text, message):
    with pytest.raises(InvalidInputError, match=message):
        mixture_of(text)


def test_dictionaries_say_the_same():
    assert mixture_of({"rm": 0.8, "my score": -1}) == mixture_of('0.8*rm - "my score"')
    for wrong in ({}, {"rm": 0.0}, {"rm": float("nan")}):
        with pytest.raises(InvalidInputError):
            mixture_of(wrong)
