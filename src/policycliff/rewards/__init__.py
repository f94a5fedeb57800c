"""R: reward tuples and their effective reward."""
