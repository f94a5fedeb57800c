"""Behaviours by likeness: completions of a prompt that mean, or read, the same count as one."""
