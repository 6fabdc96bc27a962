"""The only optimiser loops, with synthetic training data, checkpoints, evaluation and calibration."""
