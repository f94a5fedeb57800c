"""The exceptions that policycliff raises: one small hierarchy.

Every message says what was got, what was expected, where (file, column, row, state or action) and what to do.
A numerical outcome that is not the caller's fault is a status on the result, not an exception.
"""


class PolicyCliffError(Exception):
    """Base class of every error that policycliff raises on purpose."""


class InvalidInputError(PolicyCliffError, ValueError):
    """An argument, a setting or an MDP that cannot be right: wrong shape, NaN, rows that do not sum to 1."""


class TableError(PolicyCliffError, ValueError):
    """A table of rollouts that cannot be audited: empty, broken, or without the columns that are needed."""


class SourceNotFoundError(PolicyCliffError, FileNotFoundError):
    """A file, directory or pattern that matches nothing."""


class MissingExtraError(PolicyCliffError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""


class WorkerLostError(PolicyCliffError, RuntimeError):
    """Work for other processes was given up: each that took it died, or none could start it."""
