"""Scoring models on a split, comparing runs, and inspecting data sets."""
