"""The data specs that come with the package, one TOML file a data set."""
