"""Options of a run that learns to solve short T-mazes in seconds, on one core."""

import shlex

T_MAZE = shlex.split("""
--env tmaze --env.length 1 2 --env.max-steps 10 --policy.channels 8 8
--core lstm --core.hidden 32 --core.fused never
--actors 16 --unroll 10 --batch 16 --frames 8000 --device cpu --learner-threads 1
--optimizer.name adam --optimizer.learning-rate 0.01 --optimizer.schedule constant
--optimizer.momentum 0.9 --optimizer.decay 0.999
""")
