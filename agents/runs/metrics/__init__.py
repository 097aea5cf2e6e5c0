"""The metrics of a run: a file of lines, and curves of other programs."""
