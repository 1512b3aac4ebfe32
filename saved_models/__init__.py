"""Trained models that come with the package, each in a folder with its bundle and its model card."""
