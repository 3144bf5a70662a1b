"""Commands of `spike`: each parses its arguments, calls the stages and prints.

These modules import click alone; the stages are imported inside the functions, so that
`spike --help` stays fast.
"""
