"""Configuration: the TOML schema, its presets, checks and loader; needs no torch."""
