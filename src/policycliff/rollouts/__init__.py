"""Language-model rollouts -> the same objects: readers and the audit."""
