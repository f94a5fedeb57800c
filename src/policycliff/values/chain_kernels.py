"""Compiled passes over the chain of one policy for row vectors: one step, and the solve on acyclic chains."""
# Kernels take the arrays of a chain one by one, by position.
# ruff: noqa: PLR0917

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled


@compiled
def left_step(
    indptr: Integers, successors: Indices, probabilities: Floats, gamma: float, x: Floats, y: Floats
) -> float:
    """Set y = gamma x P for a row vector x over states; returns the L1 norm of y."""
    y[:] = 0.0
    for state in range(x.size):
        if x[state] != 0.0:
            for k in range(indptr[state], indptr[state + 1]):
                y[successors[k]] += gamma * probabilities[k] * x[state]
    norm = 0.0
    for state in range(x.size):
        norm += abs(y[state])
    return norm


@compiled
def left_solve_acyclic(
    order: Integers, indptr: Integers, successors: Indices, probabilities: Floats, gamma: float, x: Floats
) -> None:
    """Replace x by x (I - gamma P)^-1 where `order` lists successors first."""
    for i in range(order.size - 1, -1, -1):
        state = order[i]
        if x[state] != 0.0:
            for k in range(indptr[state], indptr[state + 1]):
                x[successors[k]] += gamma * probabilities[k] * x[state]
