"""R -> Q: Bellman operators, solvers and their error bounds."""
