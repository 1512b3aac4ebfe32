"""What `predict` does with many pictures and videos: which files, rows, copies, overviews; on one machine or on Beam."""
