"""Measuring, filming and playing."""
