"""`spike runs`, `spike compare` and `spike report`."""
