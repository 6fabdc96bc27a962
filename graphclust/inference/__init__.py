"""Exact Bayesian inference: block models, chains, refinement by description length."""
