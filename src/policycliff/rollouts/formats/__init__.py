"""Readers of the files that trainers and evaluation tools write, a file a format."""
