"""Video files and live video: frames in, readings and drawn frames out."""
