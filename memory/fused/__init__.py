"""Cores whose whole sequence is one call of compiled code."""
