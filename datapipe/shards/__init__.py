"""Token shards: planned, written, committed, verified and read."""
