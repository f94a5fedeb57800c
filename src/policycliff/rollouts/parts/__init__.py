"""A table of rollouts as parts of whole groups, in memory, on disk or on a cluster."""
