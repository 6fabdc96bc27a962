"""Random graphs with known communities; imported as `graphclust.generators`."""
