"""Videos of agents: what they see, do, expect and remember."""
