"""Results: communities, posteriors, and their file formats."""
