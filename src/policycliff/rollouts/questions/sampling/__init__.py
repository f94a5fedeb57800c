"""Samples are not the policy: what the completions of a table leave unseen, and whom they speak for."""
