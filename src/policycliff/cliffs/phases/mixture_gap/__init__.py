"""The gap of Remark 4.1: one effective reward against the mixture objective of classes that start differently."""
