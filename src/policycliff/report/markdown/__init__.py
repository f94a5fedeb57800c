"""Results as Markdown for a comment on GitHub: pure functions of the JSON."""
