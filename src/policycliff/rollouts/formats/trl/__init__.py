"""Completion logs of TRL."""
