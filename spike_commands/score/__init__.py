"""`spike eval`, `spike compress` and `spike decompress`."""
