"""Every statement of the paper, and the results beyond it, as a check that runs: one file a statement."""
