"""Wide tables: several completions a row."""
