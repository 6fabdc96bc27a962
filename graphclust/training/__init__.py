"""The only optimiser loops, the synthetic graphs they learn from, checkpoints, evaluation and calibration."""
