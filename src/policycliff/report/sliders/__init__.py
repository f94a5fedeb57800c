"""What the sliders of the page recompute, and their controls."""
