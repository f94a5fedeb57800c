"""Plots of a phase diagram, as pure functions of its JSON."""
