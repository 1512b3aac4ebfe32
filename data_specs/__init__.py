"""The data specs that come with the package, one TOML file per data set."""
