"""What the agent computes: encoder, core, policy and value heads."""
