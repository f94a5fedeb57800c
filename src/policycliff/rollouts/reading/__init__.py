"""Any table of rollouts in, the canonical `RolloutTable` out: formats, columns, groups, behaviours."""
