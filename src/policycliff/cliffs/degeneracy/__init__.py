"""What a tie leaves open: the price of degeneracy, incomplete rewards, tie-breakers."""
