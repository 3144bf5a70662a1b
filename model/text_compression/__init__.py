"""Text compression: arithmetic coding with a model's predictions."""
