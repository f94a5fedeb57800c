"""The `policycliff` command: thin."""
