"""Kernels for GPUs, in Triton: the steps of `lstm` and `rmc`. Only this folder imports Triton."""
