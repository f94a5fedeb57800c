"""Plots of the report, as plain Plotly dictionaries: pure functions of the audit's result."""
