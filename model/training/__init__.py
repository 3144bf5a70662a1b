"""Training: from configuration and shards to checkpoints, resumable to the same bytes."""
