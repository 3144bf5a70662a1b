"""Overlap of evaluation texts with a split of shards: windows seen, longest repeated passages."""
