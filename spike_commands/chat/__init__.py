"""`spike chat` and `spike generate`."""
