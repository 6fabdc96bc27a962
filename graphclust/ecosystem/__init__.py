"""Where people already are: other libraries call graphclust, or take its results. Each of these modules is optional."""
