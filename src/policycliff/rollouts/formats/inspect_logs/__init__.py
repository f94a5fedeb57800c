"""Eval logs of Inspect."""
