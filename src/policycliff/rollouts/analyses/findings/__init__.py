"""The verdict's sentences, one file a subject."""
