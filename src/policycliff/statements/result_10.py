"""Result 10: at gamma = 1 on a deterministic tree the soft policy is a Gibbs measure on whole completions.

Measured are products of token probabilities along every path, from dense soft solves. Claimed are the Gibbs formula and
the bounds of `soft_policy_bounds(...).sequence`, with all rewards free and with outcome rewards only, where the length
drops out.
"""

import numpy as np

from policycliff.cliffs.soft.bounds import soft_policy_bounds
from policycliff.cliffs.soft.sequences import ending_pairs, is_deterministic_tree
from policycliff.mdp.model import MDP
from policycliff.mdp.tree import token_tree
from policycliff.shapes import Bool, Float64
from policycliff.statements.facts import moving_pairs, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_soft_q
from policycliff.statements.section_3_4 import random_policy
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet

TRIALS = 4
LONGEST = 4096


def check(instance: Instance) -> Outcome:
    """The Gibbs formula, and both bounds under random changes; KL to a random reference."""
    mdp, rng = instance.mdp, instance.generator("Result 10")
    tree = Hypothesis("a deterministic tree at gamma = 1", mdp.gamma == 1.0 and is_deterministic_tree(mdp))
    if not tree.holds:
        return unmet(tree)
    if mdp.n_states > LONGEST:
        return Outcome(hypotheses=(tree,), too_large=f"at most {LONGEST} states, for a walk along every path")
    scale, base = reward_scale(mdp), random_policy(mdp, rng)
    base = np.where(moving_pairs(mdp) > 0.0, base, 1.0)
    temperature = 0.5 * scale
    paths = _paths(mdp)
    before, error = _completions(mdp, mdp.rewards, base, temperature, paths)
    claims = [_gibbs(mdp, base, temperature=temperature, paths=paths, measured=before, error=error)]
    for name, free in (("all steps", moving_pairs(mdp) > 0.0), ("outcomes only", ending_pairs(mdp))):
        claims.append(_bound(mdp, name, free, base=base, temperature=temperature, paths=paths, rng=rng))
    claims.append(_attained(int(rng.integers(1, 6)), 0.25 * scale, temperature))
    return Outcome(hypotheses=(tree,), claims=tuple(claims))


Paths = list[tuple[int, list[int]]]


def _paths(mdp: MDP) -> Paths:
    """Every completion: its prompt and its pairs, by walking down."""
    start = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    stack: list[tuple[int, int, list[int]]] = [(int(s), int(s), []) for s in np.flatnonzero(start > 0.0)]
    found: Paths = []
    while stack:
        prompt, state, way = stack.pop()
        if mdp.terminal[state]:
            found.append((prompt, way))
            continue
        here = range(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
        stack.extend((prompt, int(mdp.successors[mdp.indptr[pair]]), [*way, pair]) for pair in here)
    return found


def _completions(
    mdp: MDP, rewards: np.ndarray, base: np.ndarray, temperature: float, paths: Paths
) -> tuple[Float64[np.ndarray, " paths"], float]:
    """Probability of each completion given its prompt, as the product of its tokens' probabilities."""
    _, policy, error = measured_soft_q(mdp, rewards, base=base, temperature=temperature)
    longest = max(len(way) for _, way in paths)
    products = np.array([float(policy[way].prod()) for _, way in paths])
    return products, longest * (2.0 * error / temperature + 1e-14)


def _gibbs(
    mdp: MDP, base: np.ndarray, *, temperature: float, paths: Paths, measured: np.ndarray, error: float
) -> Claim:
    """The completion that is furthest from the Gibbs formula, among the likelier half."""
    score = np.array([mdp.rewards[way].sum() / temperature + np.log(base[way]).sum() for _, way in paths])
    prompts = np.array([prompt for prompt, _ in paths])
    weights = np.exp(score - np.array([score[prompts == prompt].max() for prompt in prompts]))
    claimed = weights / np.array([weights[prompts == prompt].sum() for prompt in prompts])
    likely = claimed >= np.median(claimed)
    worst = int(np.argmax(np.where(likely, np.abs(claimed - measured), -1.0)))
    text = "probability of a completion, Gibbs formula"
    return Claim(text, float(claimed[worst]), float(measured[worst]), "=", error)


def _bound(
    mdp: MDP,
    name: str,
    free: Bool[np.ndarray, " pairs"],
    *,
    base: np.ndarray,
    temperature: float,
    paths: Paths,
    rng: np.random.Generator,
) -> Claim:
    """Total variation between completion distributions under random corners of the ball, prompt by prompt."""
    epsilon = 0.25 * reward_scale(mdp)
    bounds = soft_policy_bounds(mdp, epsilon, temperature, reference_policy=base, mask=free, starts=0).sequence
    if bounds is None:
        return Claim(f"shift of completions, {name}", np.nan, np.nan)
    prompts = np.array([prompt for prompt, _ in paths])
    before, error = _completions(mdp, mdp.rewards, base, temperature, paths)
    shifts = np.zeros(bounds.prompts.size)
    for _ in range(TRIALS):
        changed = mdp.rewards + epsilon * free * rng.choice([-1.0, 1.0], mdp.n_pairs)
        after, _ = _completions(mdp, changed, base, temperature, paths)
        moved = 0.5 * np.abs(after - before)
        shifts = np.maximum(shifts, [moved[prompts == prompt].sum() for prompt in bounds.prompts])
    tightest = int(np.argmax(shifts / np.maximum(bounds.span, 1e-300)))
    text = f"shift of completions, {name}"
    return Claim(text, float(bounds.span[tightest]), float(shifts[tightest]), "<=", 2.0 * len(paths) * error)


def _attained(length: int, epsilon: float, temperature: float) -> Claim:
    """Two completions without a common step whose odds turn around: the bound of the span is attained."""
    tree = token_tree(["a" * length, "b" * length], [0.0, 0.0])
    paths, sign = _paths(tree), np.zeros(tree.n_pairs)
    for (_, way), direction in zip(paths, (1.0, -1.0), strict=True):
        sign[way] = direction
    worst, base = epsilon * sign, np.ones(tree.n_pairs)
    before, error = _completions(tree, -0.5 * worst, base, temperature, paths)
    after, _ = _completions(tree, 0.5 * worst, base, temperature, paths)
    bounds = soft_policy_bounds(tree.with_rewards(-0.5 * worst), epsilon, temperature, starts=0).sequence
    claimed = np.nan if bounds is None else float(bounds.span[0])
    shift = 0.5 * float(np.abs(after - before).sum())
    return Claim(f"attained by two completions of {length + 1} steps", claimed, shift, "=", 2.0 * error + 1e-12)


STATEMENT = Statement(
    number="Result 10",
    title="Whole completions at gamma = 1",
    says="On a tree at gamma = 1 completions are Gibbs and move by at most tanh(span / (4 beta)), however long.",
    example="graded completions",
    check=check,
)
