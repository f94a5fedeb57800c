"""Gates: weights of a mixture that are computed from features of the state or from the rewards themselves."""
