"""MDPs that users already have: environments, tables and files of other tools, read into one form."""
