"""TOML to typed settings: secrets, durations, errors with line numbers."""
