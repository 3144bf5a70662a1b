"""Golf transformer: the family of the openai/parameter-golf records."""
