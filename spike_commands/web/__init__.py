"""HTML, CSS and JavaScript of the pages, and functions that put them together."""
