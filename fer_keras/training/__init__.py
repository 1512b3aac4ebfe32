"""Training runs: the trainer, its stages, optimizers, callbacks, checkpoints and devices."""
