"""What is asked of the rewards of a table: one file a question, each a function of scores on a layout."""
