"""The configuration of a training run: its fields, its flags and its TOML."""
