"""From rows of an index to batches: images, targets, augmentation, mixing and the pipeline."""
