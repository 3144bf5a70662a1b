"""Data loader: shuffled training windows over the tokens of a shard folder."""
