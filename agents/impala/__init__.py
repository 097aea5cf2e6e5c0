"""Acting and learning: the IMPALA actor-learner with V-trace."""
