"""The report of `policycliff theorems`: terminal and page."""
