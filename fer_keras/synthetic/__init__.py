"""Drawn faces: the shape of a face, its picture, and a whole data set of them."""
