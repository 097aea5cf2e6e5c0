"""Acting and learning in the processes of a Ray cluster."""
