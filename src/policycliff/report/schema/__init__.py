"""What the JSON results look like: text files, a line a key, from which they are checked and redacted."""
