"""BESE: a 40-token structured alphabet and merges learned on top of it."""
