"""Faults that are caused on purpose, and what a run makes of them."""
