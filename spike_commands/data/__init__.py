"""`spike shard` and `spike data`."""
