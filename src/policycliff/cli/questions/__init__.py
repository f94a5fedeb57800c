"""The commands that ask one question of a table, a file a command; imports nothing heavy before a command runs."""
