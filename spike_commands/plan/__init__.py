"""Command `spike plan`."""
