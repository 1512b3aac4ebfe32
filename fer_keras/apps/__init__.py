"""Faces in photos, videos, a webcam and the browser: found, followed, read, drawn."""
