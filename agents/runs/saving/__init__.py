"""Writing checkpoints while a run trains."""
