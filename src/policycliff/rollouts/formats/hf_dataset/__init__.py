"""Folders that Hugging Face datasets saved."""
