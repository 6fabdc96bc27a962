"""The training queue of the published models; no part of the package (docs/training.md)."""
