"""The other commands' signatures and help; imports nothing heavy before a command runs."""
