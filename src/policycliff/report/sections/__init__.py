"""Sections of the report: each module gives the markup, and its plots, of one part of the page."""
