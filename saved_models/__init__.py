"""Trained models that come with the package, a folder each with its bundle and its model card."""
