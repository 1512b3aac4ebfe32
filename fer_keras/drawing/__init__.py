"""Readings drawn on pictures and frames, and the one owner of every colour; importing this package loads nothing."""
