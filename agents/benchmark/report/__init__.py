"""The report of a benchmark: tables, figures and files."""
