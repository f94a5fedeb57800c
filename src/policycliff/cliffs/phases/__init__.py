"""Which policy is best for which mixture of rewards: the cells of the weights, their walls, and Remark 4.1."""
