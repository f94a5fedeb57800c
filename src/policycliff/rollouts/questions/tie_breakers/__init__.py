"""Which column or formula to break ties with: what it resolves, what it gains, and how large its weight may be."""
