"""What other advantage estimators would make of the same rows: GRPO, Dr. GRPO, RLOO, GDPO, REINFORCE++ and others."""
