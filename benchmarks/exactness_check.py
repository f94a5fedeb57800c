"""The float path against rational arithmetic on many small MDPs, most of them degenerate on purpose.

For every instance the optimum is computed in fractions and compared with what `solve` and `optimal_actions` certify
in floating point. Wrong is: an error bound below the true error (of Q-values, of values, of an evaluated policy), a
set that misses an optimal action, "unique" or "tied" where it is not so, or a gap that is off by more than the bound
allows. A state that is left "unresolved" is not wrong; the share of them is reported, by kind of instance.

    python benchmarks/exactness_check.py --instances 10000 --seed 0 --json result.json
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from flint import fmpq

from policycliff import MDP, optimal_actions, solve
from policycliff.values.evaluation import evaluate
from policycliff.values.exact import make_exact, rational, rationals

GAMMAS = (0.0, 0.5, 0.9, 0.99)
METHODS = ("auto", "policy_iteration", "value_iteration", "modified_policy_iteration", "gauss_seidel")

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Kernel (S, A, S), rewards (S, A) and terminal states (S,)."""


@dataclass(slots=True)
class Tally:
    """What was found for one kind of instance."""

    instances: int = 0
    states: int = 0
    unique: int = 0
    tied: int = 0
    unresolved: int = 0
    unresolved_ties: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Unresolved states among those with a choice."""
        return self.unresolved / max(self.states, 1)


def dyadic_rows(rng: np.random.Generator, shape: tuple[int, ...], parts: int = 8) -> np.ndarray:
    """Kernel rows whose entries are multiples of 1 / parts."""
    size = shape[-1]
    drawn = rng.integers(size, size=(*shape[:-1], parts))
    return (drawn[..., None] == np.arange(size)).sum(axis=-2) / parts


def with_terminal(rng: np.random.Generator, kernel: np.ndarray, rewards: np.ndarray) -> Arrays:
    """Sometimes the last states are terminal."""
    size = kernel.shape[0]
    terminal = np.arange(size) >= size - int(rng.integers(0, (size + 1) // 2 + 1) * (rng.random() < 0.4))
    kernel[terminal], rewards[terminal] = 0.0, 0.0
    return kernel, rewards, terminal


def sizes(rng: np.random.Generator) -> tuple[int, int]:
    """1 to 6 states, 2 or 3 actions."""
    return int(rng.integers(1, 7)), int(rng.integers(2, 4))


def real_numbers(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Dirichlet rows and normal rewards: no ties."""
    s, a = sizes(rng)
    return with_terminal(rng, rng.dirichlet(np.ones(s), (s, a)), rng.normal(size=(s, a)))


def integer_rewards(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Dirichlet rows and integer rewards."""
    s, a = sizes(rng)
    return with_terminal(rng, rng.dirichlet(np.ones(s), (s, a)), rng.integers(-1, 2, (s, a)).astype(float))


def dyadic(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Rows in eighths and integer rewards."""
    s, a = sizes(rng)
    return with_terminal(rng, dyadic_rows(rng, (s, a, s)), rng.integers(-1, 2, (s, a)).astype(float))


def deterministic(rng: np.random.Generator, _gamma: float) -> Arrays:
    """One successor a pair, rewards 0 or 1: short cycles of equal value."""
    s, a = sizes(rng)
    return with_terminal(rng, np.eye(s)[rng.integers(s, size=(s, a))], rng.integers(0, 2, (s, a)).astype(float))


def constant_rewards(rng: np.random.Generator, _gamma: float) -> Arrays:
    """The same reward everywhere: everything is tied, whatever the rows are."""
    s, a = sizes(rng)
    rows = rng.dirichlet(np.ones(s), (s, a)) if rng.random() < 0.5 else dyadic_rows(rng, (s, a, s))
    return rows, np.full((s, a), rng.choice([0.0, 0.1, 1.0])), np.zeros(s, dtype=bool)


def duplicated_actions(rng: np.random.Generator, _gamma: float) -> Arrays:
    """The last action is the first one again."""
    kernel, rewards, terminal = real_numbers(rng, _gamma)
    kernel[:, -1], rewards[:, -1] = kernel[:, 0], rewards[:, 0]
    return kernel, rewards, terminal


def copied_rows(rng: np.random.Generator, _gamma: float) -> Arrays:
    """All actions of a state lead to the same places, for rewards in tenths that often tie."""
    s, a = sizes(rng)
    kernel = np.repeat(rng.dirichlet(np.ones(s), (s, 1)), a, axis=1)
    return with_terminal(rng, kernel, rng.integers(0, 4, (s, a)) / 10.0)


def symmetric_states(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Every state has a twin, and the second action is the first with twins exchanged: equal values, other rows."""
    half, a = int(rng.integers(1, 4)), 2
    rows = rng.dirichlet(np.ones(2 * half), half) if rng.random() < 0.5 else dyadic_rows(rng, (half, 2 * half))
    twin = np.concatenate([rows[:, half:], rows[:, :half]], axis=1)
    kernel = np.tile(np.stack([rows, twin], axis=1), (2, 1, 1))
    rewards = np.tile(rng.normal(size=(half, 1)), (2, a))
    return kernel, rewards, np.zeros(2 * half, dtype=bool)


def nearly_symmetric(rng: np.random.Generator, gamma: float) -> Arrays:
    """Symmetric states with one probability or one reward moved by one unit in the last place."""
    kernel, rewards, terminal = symmetric_states(rng, gamma)
    array = rewards if rng.random() < 0.5 else kernel
    where = tuple(rng.choice(np.argwhere(array != 0.0)))
    array[where] = np.nextafter(array[where], rng.choice([-9.0, 9.0]))
    return kernel, rewards, terminal


def grids(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Walk on a small grid, slipping to the sides, to a goal that pays and ends, or for nothing at all."""
    height, width = (int(n) for n in rng.integers(1, 4, 2))
    size, slip, goal = height * width, float(rng.choice([0.0, 0.1, 0.25, 1 / 3])), int(rng.integers(height * width))
    moves = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
    kernel = np.zeros((size, 4, size))
    for state in range(size):
        ends = np.clip(np.array(divmod(state, width)) + moves, 0, [height - 1, width - 1]) @ [width, 1]
        for action in range(4):
            for turn, mass in ((-1, slip), (0, 1 - 2 * slip), (1, slip)):
                kernel[state, action, ends[(action + turn) % 4]] += mass
    rewards = kernel[:, :, goal] * float(rng.choice([0.0, 1.0, 1.0]))
    terminal = np.arange(size) == goal
    kernel[terminal], rewards[terminal] = 0.0, 0.0
    return kernel, rewards, terminal


def permuted_rows(rng: np.random.Generator, _gamma: float) -> Arrays:
    """The second action permutes the successors of the first."""
    s, a = sizes(rng)
    kernel = dyadic_rows(rng, (s, a, s))
    kernel[:, 1] = kernel[:, 0][:, rng.permutation(s)]
    return with_terminal(rng, kernel, rng.integers(0, 2, (s, a)).astype(float))


def inverse_bellman(rng: np.random.Generator, gamma: float) -> Arrays:
    """Rewards for given tied Q-values, R = Q - gamma P max Q: exact ties at gamma 1/2, rounded ones elsewhere."""
    s, a = sizes(rng)
    kernel = dyadic_rows(rng, (s, a, s))
    q = rng.integers(-2, 3, (s, a)) / 2.0
    q[:, 1] = q[:, 0] = q.max(axis=1)
    ahead = np.vectorize(lambda row_value: float(Fraction(gamma) * Fraction(row_value)))(kernel @ q.max(axis=1))
    return kernel, q - ahead, np.zeros(s, dtype=bool)


def near_ties(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Duplicated actions whose rewards differ by one unit in the last place up to 1e-9."""
    kernel, rewards, terminal = duplicated_actions(rng, _gamma)
    if rng.random() < 0.3 and not terminal.any():
        kernel[:, -1] = kernel[:, 0][:, ::-1]
    nudge = float(rng.choice([2.0**-52, 1e-15, 1e-13, 1e-11, 1e-9]))
    nudged = rewards * (1.0 + nudge * rng.integers(-1, 2, rewards.shape))
    return kernel, np.where(terminal[:, None], 0.0, nudged), terminal


def layered(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Acyclic with several successors, in quarters; rewards in tenths. Runs at gamma = 1 as well."""
    s, a = int(rng.integers(2, 7)), int(rng.integers(2, 4))
    kernel = np.zeros((s, a, s))
    for state in range(s - 1):
        kernel[state, :, state + 1 :] = dyadic_rows(rng, (a, s - 1 - state), 4)
    terminal = np.arange(s) == s - 1
    rewards = rng.integers(0, 3, (s, a)) / rng.choice([1.0, 10.0]) * ~terminal[:, None]
    return kernel, rewards, terminal


def trees(rng: np.random.Generator, _gamma: float) -> Arrays:
    """Deterministic and acyclic, with rewards 0 and 1, tenths, or only at the end. Runs at gamma = 1 as well."""
    s, a = int(rng.integers(2, 7)), int(rng.integers(2, 4))
    kernel = np.zeros((s, a, s))
    for state in range(s - 1):
        kernel[state, np.arange(a), rng.integers(state + 1, s, a)] = 1.0
    terminal = np.arange(s) == s - 1
    rewards = rng.integers(0, 2, (s, a)) * float(rng.choice([1.0, 0.1])) * ~terminal[:, None]
    if rng.random() < 0.3:
        rewards = rewards * (kernel[:, :, -1] == 1.0)
    return kernel, rewards, terminal


KINDS: dict[str, Callable[[np.random.Generator, float], Arrays]] = {
    "real numbers": real_numbers,
    "integer rewards": integer_rewards,
    "rows in eighths": dyadic,
    "deterministic, 0 or 1": deterministic,
    "constant rewards": constant_rewards,
    "duplicated actions": duplicated_actions,
    "copied rows": copied_rows,
    "symmetric states": symmetric_states,
    "nearly symmetric": nearly_symmetric,
    "grids": grids,
    "permuted rows": permuted_rows,
    "inverse Bellman ties": inverse_bellman,
    "near ties": near_ties,
    "acyclic": layered,
    "trees": trees,
}
ACYCLIC = {"acyclic", "trees"}


def make_instance(kind: str, rng: np.random.Generator) -> MDP:
    """One MDP of this kind, at a random discount (1 too where it is acyclic)."""
    gamma = float(rng.choice((*GAMMAS, 1.0) if kind in ACYCLIC else GAMMAS))
    kernel, rewards, terminal = KINDS[kind](rng, gamma)
    initial = np.full(terminal.size, 1.0 / terminal.size)
    return MDP.from_arrays(kernel, rewards, gamma, terminal=terminal, initial=initial)


def check_instance(mdp: MDP, method: str, tally: Tally, name: str) -> None:
    """Compare certificates with the optimum in fractions and count."""
    solution = solve(mdp, method=method, tolerance=1e-13)
    exact = make_exact(mdp)
    _, values, q = exact.optimise(rationals(mdp.rewards), mdp.offsets[:-1].tolist())
    bound = rational(solution.error_bound)
    tally.instances += 1
    if _worst(solution.q_values, q) > bound:
        tally.wrong.append(f"{name}: error of Q above its bound")
    if _worst(solution.values, values) > bound:
        tally.wrong.append(f"{name}: error of V above its bound")
    _check_sets(mdp, optimal_actions(solution), q, tally, name)


def check_evaluation(mdp: MDP, tally: Tally, name: str) -> None:
    """Compare the values of one policy, the last action everywhere, with fractions."""
    last, rewards = mdp.offsets[1:] - 1, rationals(mdp.rewards)
    policy = np.zeros(mdp.n_pairs)
    policy[last] = 1.0
    exact, found = make_exact(mdp), evaluate(mdp, policy)
    values = exact.values(last.tolist(), [rewards])[0]
    error = max(_worst(found.values, values), _worst(found.q_values, exact.q_values(values, rewards)))
    if error > rational(found.error_bound):
        tally.wrong.append(f"{name}: error of an evaluation above its bound")


def _worst(floats: np.ndarray, fractions: list[fmpq]) -> fmpq:
    return max(abs(rational(x) - y) for x, y in zip(floats.tolist(), fractions, strict=True))


def _check_sets(mdp: MDP, actions: object, q: list[fmpq], tally: Tally, name: str) -> None:
    status, members = actions.status.tolist(), actions.members.tolist()
    slack = rational(2.0 * actions.error_bound) + fmpq(1, 10**12)
    for state, (first, last) in enumerate(zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True)):
        if last - first == 1:
            continue
        ranked = sorted(q[first:last], reverse=True)
        true = [value == ranked[0] for value in q[first:last]]
        tally.states += 1
        setattr(tally, status[state], getattr(tally, status[state]) + 1)
        tally.unresolved_ties += status[state] == "unresolved" and sum(true) > 1
        where = f"{name}, state {state}"
        if any(wanted and not kept for wanted, kept in zip(true, members[first:last], strict=True)):
            tally.wrong.append(f"{where}: an optimal action is missing")
        if status[state] == "unique" and sum(true) != 1:
            tally.wrong.append(f"{where}: called unique, is tied")
        if status[state] == "tied" and (sum(true) < 2 or members[first:last] != true):
            tally.wrong.append(f"{where}: called tied, is not, or with others")
        if abs(rational(float(actions.gaps[state])) - (ranked[0] - ranked[1])) > slack:
            tally.wrong.append(f"{where}: the gap is off")


def check(instances: int, seed: int = 0) -> dict[str, Tally]:
    """Run this many instances, kind after kind, method after method."""
    tallies = {kind: Tally() for kind in KINDS}
    kinds = list(KINDS)
    for index in range(instances):
        kind = kinds[index % len(kinds)]
        mdp = make_instance(kind, np.random.default_rng([seed, index]))
        method = METHODS[(index // len(kinds)) % len(METHODS)]
        if mdp.gamma == 0.99 and method == "value_iteration":
            method = "auto"
        name = f"{kind}, seed {seed}, index {index}, {method}"
        check_instance(mdp, method, tallies[kind], name)
        if (index // len(kinds)) % 3 == 0:
            check_evaluation(mdp, tallies[kind], name)
    return tallies


def main() -> None:
    """Print the table; exit with status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tallies = check(options.instances, options.seed)
    print(f"{'kind':>24} {'MDPs':>6} {'states':>7} {'unique':>7} {'tied':>6} {'unresolved':>10} {'share':>6}   wrong")
    for kind, t in tallies.items():
        print(
            f"{kind:>24} {t.instances:>6} {t.states:>7} {t.unique:>7} {t.tied:>6} {t.unresolved:>10} {t.share:>6.1%}"
            f"   {len(t.wrong)}"
        )
    states, unresolved = sum(t.states for t in tallies.values()), sum(t.unresolved for t in tallies.values())
    ties = sum(t.unresolved_ties for t in tallies.values())
    wrong = [line for t in tallies.values() for line in t.wrong]
    print(f"{unresolved} of {states} states with a choice unresolved ({unresolved / max(states, 1):.1%}),")
    print(f"{ties} of them tied; {len(wrong)} wrong certificates", *wrong[:20], sep="\n")
    if options.json is not None:
        options.json.write_text(json.dumps({kind: asdict(t) for kind, t in tallies.items()}, indent=2) + "\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
