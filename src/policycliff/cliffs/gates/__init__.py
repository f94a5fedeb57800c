"""How far the optimum moves through a gate: bounds, the radius, and the jump of a hard gate."""
