"""Backbones, heads and weights: from names to a Keras functional model."""
