"""Training a core on a supervised task."""
