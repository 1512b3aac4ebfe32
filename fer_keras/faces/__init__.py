"""Finding faces in images and reading them: detectors, finder, tracking, face reader."""
