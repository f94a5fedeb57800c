"""Rewards made to order: the least change for a target policy, and the cone of rewards under which one is optimal."""
