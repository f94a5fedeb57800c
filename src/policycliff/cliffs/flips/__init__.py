"""The probability that Gaussian reward noise changes the optimal policy."""
