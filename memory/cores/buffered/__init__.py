"""Cores that attend to a buffer of their last inputs."""
