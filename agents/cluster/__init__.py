"""Ray: the only owner of its start and its end."""
