"""Recovery studies: a grid of random graphs to a tidy table and a figure."""
