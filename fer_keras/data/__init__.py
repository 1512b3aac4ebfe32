"""The face index: the checked table of a data set, its cache, its splits, and several sets joined."""
