"""`spike export` and `spike import`."""
