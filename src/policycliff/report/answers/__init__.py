"""Answers to questions, in the terminal and as a page: pure functions of the JSON result."""
