"""Readings drawn on pictures and video frames, and pictures that sum up a run."""
