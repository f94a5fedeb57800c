"""Remark 4.1: the effective-reward policy is the optimum of the mixture objective where prompt classes share one start.

Classes k of share p_k start in mu_k and are paid R_k; the mixture objective is sum_k p_k J_k(pi). With one shared start
and weights w_k = p_k it is the return of the effective reward, so both optima agree. With different starts they need
not: the gap that `mixture_gap` claims is measured over all deterministic policies, on the instance and in a world where
it is known: each of two classes of share 1/2 starts in a state of its own; the class that does not start there is paid
more for the other action, so the effective reward picks that one everywhere and loses all of what the first class could
earn.
"""

import numpy as np

from policycliff.cliffs.phases.mixture_gap.gap import mixture_gap
from policycliff.cliffs.phases.mixture_gap.result import MixtureGap
from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.shapes import Float64, Int64
from policycliff.statements.envelope import LIMIT, all_values
from policycliff.statements.facts import moving_pairs
from policycliff.statements.instances import Instance
from policycliff.statements.measure import greedy_pairs, measured_q, policies, policy_values, rounding
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement

SHARES = np.array([0.5, 0.25, 0.25])

Rewards = Float64[np.ndarray, "classes pairs"]
Starts = Float64[np.ndarray, "classes states"]


def check(instance: Instance) -> Outcome:
    """Equal with one start; the claimed gap with three; the known loss with two."""
    mdp = instance.mdp
    rng, spread = instance.generator("Remark 4.1"), np.repeat(SHARES[:, None], mdp.n_states, axis=1)
    rewards = mdp.rewards + rng.integers(-8, 9, (3, mdp.n_pairs)) / 8.0 * moving_pairs(mdp)
    values = all_values(mdp, rewards)
    if values is None:
        return Outcome(too_large=f"more than {LIMIT} deterministic policies")
    shared = np.tile(np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial, (3, 1))
    effective, error = measured_q(mdp, effective_reward(rewards, spread, mdp=mdp))
    top = float(np.maximum.reduceat(effective, mdp.offsets[:-1]) @ shared[0])
    best = float(np.einsum("psk,k,ks->p", values, SHARES, shared).max())
    slack = error + rounding(mdp, float(np.abs(rewards).max()) + float(np.abs(effective).max()))
    greedy = _mixture(mdp, greedy_pairs(mdp, effective), rewards, shared)
    own = np.eye(mdp.n_states)[rng.choice(np.flatnonzero(~mdp.terminal | mdp.terminal.all()), 3)]
    found = mixture_gap(mdp, rewards, starts=own, proportions=SHARES)
    returns = np.einsum("psk,k,ks->p", values, SHARES, own)
    return Outcome(
        hypotheses=(Hypothesis("weights are the shares of the classes", holds=True),),
        claims=(
            Claim("optimum of the mixture with one shared start", top, best, "=", slack),
            Claim("effective policy's mixture return, shared start", best, greedy, "=", slack),
            _is_optimal(mdp, found, effective, slack),
            *_gap(found, float(returns.max()) - _mixture(mdp, _chosen(found), rewards, own), slack),
            *_known_gap(rng, mdp.gamma),
        ),
    )


def _chosen(found: MixtureGap) -> Int64[np.ndarray, " states"]:
    """The pair that the effective policy takes in each state."""
    return np.flatnonzero(found.effective_policy)


def _is_optimal(mdp: MDP, found: MixtureGap, effective: Float64[np.ndarray, " pairs"], slack: float) -> Claim:
    """Whether the policy that `mixture_gap` takes for the effective one is greedy in Q* of the effective reward."""
    lost = np.maximum.reduceat(effective, mdp.offsets[:-1]) - effective[_chosen(found)]
    return Claim("advantage lost by the effective policy", 0.0, float(lost.max()), "=", 2.0 * slack, 1.0)


def _gap(found: MixtureGap, measured: float, slack: float) -> list[Claim]:
    """The gap with three starts: an equality where `mixture_gap` enumerates in fractions, else both ends."""
    error, size = slack + 2.0 * found.error_bound, abs(found.stationary_return)
    text = "what the effective policy loses with its own starts"
    if found.status == "exact":
        return [Claim(text, found.gap, measured, "=", error, size)]
    low, high = found.bracket
    return [
        Claim(f"{text}, at least", low, measured, ">=", error, size),
        Claim(f"{text}, at most", high, measured, "<=", error, size),
    ]


def _known_gap(rng: np.random.Generator, gamma: float) -> list[Claim]:
    """Two classes, each with its own start: class k earns `own` there by action k, the other would earn more."""
    own, more = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.25, 1.0))
    kernel, last = np.zeros((3, 2, 3)), np.array([False, False, True])
    kernel[:2, :, 2] = 1.0
    world = MDP.from_arrays(kernel, np.zeros((3, 2)), gamma, terminal=last)
    # Pairs: state 0 (actions 0, 1), state 1 (actions 0, 1), the end.
    rewards = np.array([[own, 0.0, own + more, 0.0, 0.0, 0.0], [0.0, own + more, 0.0, own, 0.0, 0.0]])
    rewards = np.array([np.resize(row, world.n_pairs) * moving_pairs(world) for row in rewards])
    shares, starts = np.array([0.5, 0.5]), np.eye(3)[:2]
    effective, _ = measured_q(world, effective_reward(rewards, np.full((2, 3), 0.5), mdp=world))
    choices = (greedy_pairs(world, effective), *policies(world))
    returns = [_mixture(world, choice, rewards, starts, shares=shares) for choice in choices]
    lost, found = max(returns[1:]) - returns[0], mixture_gap(world, rewards, starts=starts, proportions=shares)
    return [
        Claim("what the effective policy loses with two starts", own, lost, "=", 1e-12),
        Claim("the same, as found", found.gap, lost, "=", 1e-12),
    ]


def _mixture(
    mdp: MDP, choice: Int64[np.ndarray, " states"], rewards: Rewards, starts: Starts, *, shares: np.ndarray = SHARES
) -> float:
    """sum_k p_k J_k of a deterministic policy."""
    values = [start @ policy_values(mdp, choice, reward) for reward, start in zip(rewards, starts, strict=True)]
    return float(shares @ values)


STATEMENT = Statement(
    number="Remark 4.1",
    title="Effective reward and mixture of prompts",
    says="With one shared start the effective reward's optimum is the mixture's; with several it can be worse.",
    example="clever slacker",
    check=check,
)
