"""The distance to the cliff: the exact stability radius, of rewards, components and weights."""
