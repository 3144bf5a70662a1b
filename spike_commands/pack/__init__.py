"""`spike pack`, `spike unpack` and `spike inspect`."""
