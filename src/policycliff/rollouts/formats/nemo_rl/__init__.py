"""Rollouts of NeMo-RL."""
