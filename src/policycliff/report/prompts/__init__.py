"""Competing completions on the page: how their texts differ, and where they part."""
