"""The verdict on one MDP: ties, distances to the cliff and advice in one result, in plain words."""
