"""`spike train`."""
