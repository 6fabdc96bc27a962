"""What is asked of a graph, and what a partition has to respect."""
