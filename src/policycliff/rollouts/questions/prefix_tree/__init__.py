"""`policycliff prefix-tree`: where in the text the best completions of a prompt part, from each other and the rest."""
