"""Soft policies: how far they move, which temperature keeps them, what it costs."""
