"""From a bundle to files that other programs load, each proved to give the same answers; one file a format."""
