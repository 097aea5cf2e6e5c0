"""Engram in programs of one's own: load a trained agent or model, and train one."""
