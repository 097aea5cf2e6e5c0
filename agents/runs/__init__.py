"""A run's folder, and what a process does while it runs."""
