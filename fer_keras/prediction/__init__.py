"""From images to readings: one `Predictor` whatever runs the model."""
