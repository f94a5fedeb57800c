"""What the recorder of a training run is made of: rows, files, figures, limits."""
