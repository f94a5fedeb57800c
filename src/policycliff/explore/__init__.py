"""Pages through all prompts of an audited table, for one person on this machine: `policycliff explore`."""
