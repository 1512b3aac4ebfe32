"""What a training run leaves behind: its directory, its bundle, its calibration."""
