"""Command `spike scaling`."""
