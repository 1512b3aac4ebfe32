"""The HTTP server: requests batched and bounded, images decoded, the inference protocol."""
