"""Golf transformer: the parameter golf family."""
