"""Helpers that run inside trainers; each module imports without its trainer."""
