"""Acting and learning: the IMPALA actor-learner and what watches it."""
