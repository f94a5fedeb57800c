"""R -> pi, end to end: how far a reward is from the cliff."""
