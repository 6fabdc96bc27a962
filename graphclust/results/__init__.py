"""Results: communities, posteriors, and the files that hold them."""
