"""Two rewards on the same rows, or two tables of one reward: what changes, is it more than chance, and where."""
