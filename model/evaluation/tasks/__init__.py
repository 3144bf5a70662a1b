"""Definitions of the evaluation tasks, with prompts as in lm-evaluation-harness 0.4.13."""
