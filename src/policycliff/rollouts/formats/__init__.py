"""Readers of the files that trainers and evaluation tools write: a module or a folder a format, and what they share."""
