"""The training queue of the published models, which is not part of the package (docs/training.md)."""
