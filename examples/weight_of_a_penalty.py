"""At which weight of a length penalty does the best answer change, and what happens exactly there?"""

import numpy as np

from policycliff import perturbation_path, token_tree

ANSWERS = {
    "so 4": 0.75,
    "think it over so 4": 1.0,
    "think it over and check so 4": 1.0,
    "guess 5": 0.0,
}

tree = token_tree([answer.split() for answer in ANSWERS], list(ANSWERS.values()))
per_step = -1.0 * ~tree.terminal[tree.pair_states]
path = perturbation_path(tree, per_step, 0.0, 0.5)
print(path)

root = int(np.argmax(tree.initial))
first, last = int(tree.offsets[root]), int(tree.offsets[root + 1])
for interval in path.intervals:
    starts = [tree.action_name(pair) for pair in range(first, last) if interval.members[pair]]
    count = np.exp(interval.log_optimal_policies)
    print(f"penalty {interval.start:.4f} to {interval.end:.4f}: begin with {starts}, {count:.0f} optimal policies")
for point in path.breakpoints:
    names = [tree.state_name(int(state)) for state in point.states]
    if point.total_variation is None:
        print(f"at {point.fraction}, an end of the line: after {names} the smallest penalty breaks a tie")
    else:
        print(f"at {point.fraction}: the policy after {names} jumps by {point.total_variation}")
