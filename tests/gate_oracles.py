"""Oracles for gates: state by state, number by number, with math.exp; and random gates of every kind."""

import math

import numpy as np
from core_oracles import random_mdp
from hypothesis import strategies as st

from policycliff import reward_gate, softmax_gate


def naive_weights(mdp, rewards, *, gain, statistic, bias, temperature):
    """(K, S) weights of a reward gate."""
    columns = []
    for state, (first, last) in enumerate(zip(mdp.offsets, mdp.offsets[1:], strict=False)):
        if not isinstance(statistic, str):
            read = [sum(statistic[p] * row[p] for p in range(first, last)) for row in rewards]
        elif statistic == "mean":
            read = [sum(row[first:last]) / (last - first) for row in rewards]
        else:
            read = [max(row[first:last]) for row in rewards]
        logits = [bias[k][state] + sum(gain[k][j] * read[j] for j in range(len(rewards))) for k in range(len(rewards))]
        terms = [math.exp((z - max(logits)) / temperature) for z in logits]
        columns.append([term / sum(terms) for term in terms])
    return np.array(columns).T


def naive_reward(mdp, rewards, weights):
    """(pairs,) the mixture."""
    return np.array(
        [sum(weights[k][s] * rewards[k][p] for k in range(len(rewards))) for p, s in enumerate(mdp.pair_states)]
    )


@st.composite
def cases(draw, *, gammas=(0.0, 0.5, 0.9), reading=None, max_components=4):
    """What `build` needs: arguments of `random_mdp`, the number of components and options of `make_gate`."""
    seed, states = draw(st.integers(0, 10**6)), draw(st.integers(1, 3))
    recipe = {
        "seed": seed,
        "states": states,
        "actions": draw(st.integers(1, 3)),
        "gamma": draw(st.sampled_from(gammas)),
        "terminals": draw(st.integers(0, states - 1)),
    }
    reads = draw(st.booleans()) if reading is None else reading
    options = {
        "temperature": draw(st.sampled_from([0.05, 0.5, 3.0])),
        "seed": seed,
        "statistic": draw(st.sampled_from(["mean", "max", "linear"])) if reads else None,
        "square": draw(st.booleans()),
    }
    return recipe, draw(st.integers(1, max_components)), options


def build(case):
    """MDP, (K, pairs) rewards and the options of the gate."""
    recipe, components, options = case
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    return mdp, rng.normal(size=(components, mdp.n_pairs)) * ~mdp.terminal[mdp.pair_states], options


def arguments(mdp, components, options):
    """What `naive_weights` needs for a reading gate."""
    rng = np.random.default_rng([options["seed"], 1])
    square = rng.normal(size=(components, components))
    coefficients = rng.normal(size=mdp.n_pairs)
    return {
        "gain": square if options["square"] else 1.5 * np.eye(components),
        "statistic": coefficients if options["statistic"] == "linear" else options["statistic"],
        "bias": rng.normal(size=(components, mdp.n_states)),
        "temperature": options["temperature"],
    }


def make_gate(mdp, components, options):
    """The gate of a case."""
    if options["statistic"] is None:
        rng = np.random.default_rng([options["seed"], 2])
        features, parameters = rng.normal(size=(mdp.n_states, 2)), rng.normal(size=(2, components))
        return softmax_gate(features, parameters, temperature=options["temperature"])
    given = arguments(mdp, components, options)
    return reward_gate(given.pop("gain"), **given)
