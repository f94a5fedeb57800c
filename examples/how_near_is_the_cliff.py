"""How small a change of the reward changes the optimal policy, and which change is it?

A corridor of six cells: walk to the goal on the right, or take the small reward on the left.
Run: python examples/how_near_is_the_cliff.py
"""

import numpy as np

from policycliff import KL, MDP, optimal_actions, solve, stability_radius, total_variation, uniform_policy

CELLS, LEFT, RIGHT = 6, 0, 1


def corridor(goal: float, *, gamma: float = 0.9) -> MDP:
    """Cells 0 and 5 end the episode; entering 0 pays 0.2, entering 5 pays `goal`."""
    transitions, rewards = np.zeros((CELLS, 2, CELLS)), np.zeros((CELLS, 2))
    for cell in range(1, CELLS - 1):
        transitions[cell, LEFT, cell - 1] = transitions[cell, RIGHT, cell + 1] = 1.0
    rewards[1, LEFT], rewards[CELLS - 2, RIGHT] = 0.2, goal
    terminal = np.isin(np.arange(CELLS), [0, CELLS - 1])
    return MDP.from_arrays(transitions, rewards, gamma, terminal=terminal, action_names=["left", "right"])


def main() -> None:
    """Print the radius, check its witness just inside and just outside, and show what KL does to the jump."""
    mdp = corridor(goal=0.3)
    radius = stability_radius(mdp)
    print(radius)
    before = solve(mdp)
    for scale in (0.999, 1.001):
        after = solve(mdp.with_rewards(mdp.rewards + scale * radius.witness))
        print(f"{scale} x witness: the policy moves by TV {total_variation(before.policy, after.policy, mdp=mdp):.0f}")
    soft = KL(0.1, uniform_policy(mdp))
    moved = solve(mdp.with_rewards(mdp.rewards + 1.001 * radius.witness), regularizer=soft)
    shift = total_variation(solve(mdp, regularizer=soft).policy, moved.policy, mdp=mdp)
    print(f"with a KL coefficient of 0.1 the same change moves it by TV {shift:.3f}")
    print(optimal_actions(before))


if __name__ == "__main__":
    main()
