"""How a reward decides its policy (Xu, *The Policy Cliff*, arXiv 2507.20150)."""
