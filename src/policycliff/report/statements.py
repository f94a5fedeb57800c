"""The statements behind the figures, a sentence each, so that a reader need not have the paper at hand."""

import re
from collections.abc import Iterable

PAPER = "Xu, The Policy Cliff, arXiv 2507.20150 (2025)"

STATEMENTS = {
    "Thm 2.7": "Where the best action is unique, a small change of the reward changes nothing.",
    "Lemma 2.5": "Limits of optimal actions are optimal: under a small change of the reward a state can lose best "
    "actions and gains none.",
    "Prop 2.9": "Where several actions are best, an arbitrarily small change of the reward makes any one of them the "
    "only best, so every deterministic choice among them jumps.",
    "Prop 2.10": "With m best actions even choosing among them evenly jumps, by (m − 1)/m in total variation.",
    "Prop 3.1": "Among policies that are all optimal for an incomplete reward, some are worse for the complete one.",
    "Prop 3.2": "An arbitrarily small extra reward breaks a tie the way one wants.",
    "Lemma 4.2": "Several rewards act through their weighted sum, the effective reward; it moves no more than they do.",
    "Prop 4.3": "A change of one reward moves the best values by at most the size of the change.",
    "Prop 4.6": "Ties of the effective reward break under arbitrarily small changes of its components.",
    "Prop 4.7": "A soft policy moves by at most the change of the reward divided by twice the temperature.",
    "Sec 3.4": "The KL-optimal policy reweights the completions of the sampling policy by exp(reward / beta).",
    "Sec 5.4": "Optimising a proxy can raise it while the truth falls.",
    "Sec 5.5": "Each domain of the data mixture moves the effective reward, and with it what is learned on the others.",
    "Sec 6.2": "Noise in scores and in optimisation makes runs differ where the best completions are close.",
    "Result 1": "The radius: a best completion stays best exactly while errors are below half its lead.",
    "Result 3": "The best values are convex and piecewise linear in the weights of the rewards: cells, with walls "
    "between them.",
    "Result 4": "A sharper bound on a soft policy's move: tanh(span of the change / (4 beta)).",
    "Result 5": "The least KL coefficient (or temperature) that keeps the policy's move under a chosen bound.",
    "Result 6": "Between the best and the worst policy that the reward cannot tell apart, chance decides.",
    "Result 8": "Dividing by the group's standard deviation gives the smallest differences full size.",
}
"""Numbers as in the paper; a `Result` goes beyond it (docs/theory)."""

_NAME = re.compile(r"((?:Thm|Prop|Lemma|Sec|Result) \d+(?:\.\d+)?)")


def named(statement: str) -> list[str]:
    """Names of the known statements in a text like "Prop 2.9, Prop 2.10"."""
    return [name for name in _NAME.findall(statement) if name in STATEMENTS]


def explanation(statement: str) -> str:
    """What the statements named in a text say, in a sentence each; empty where none is known.

    >>> explanation("Sec 5.4")
    'Sec 5.4: Optimising a proxy can raise it while the truth falls.'
    """
    return " ".join(f"{name}: {STATEMENTS[name]}" for name in named(statement))


def pieces(statement: str) -> list[str]:
    """The text cut around the names in it.

    >>> pieces("Prop 2.9, Prop 2.10")
    ['Prop 2.9', ', ', 'Prop 2.10']
    """
    return [piece for piece in _NAME.split(statement) if piece]


def anchor(name: str) -> str:
    """Where a page says what a statement says.

    >>> anchor("Prop 2.9")
    'statement-prop-2-9'
    """
    return f"statement-{re.sub('[ .]', '-', name.lower())}"


def all_named(statements: Iterable[str]) -> list[str]:
    """Every known statement that the texts name, in the order of this module."""
    used = {name for statement in statements for name in named(statement)}
    return [name for name in STATEMENTS if name in used]
