"""Spaces of observations and actions as one array of numbers per environment."""
