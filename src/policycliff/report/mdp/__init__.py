"""The report on one MDP: terminal and page, pure functions of the JSON result."""
