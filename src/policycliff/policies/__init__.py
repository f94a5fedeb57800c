"""A* -> pi: selection rules, soft policies, distances between policies."""
