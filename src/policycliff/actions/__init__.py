"""Q -> A*: sets of optimal actions, gaps and certificates."""
