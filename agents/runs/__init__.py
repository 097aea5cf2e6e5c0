"""The folder of a run, and services of its process."""
