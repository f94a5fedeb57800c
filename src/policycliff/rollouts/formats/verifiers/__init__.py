"""Traces and results of verifiers."""
