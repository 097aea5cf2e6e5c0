"""Differentiable neural computer."""
