"""graphclust finds communities in graphs and says how sure it is."""
