"""Classes of data mixed into one training set: what each contributes, and what their proportions decide."""
