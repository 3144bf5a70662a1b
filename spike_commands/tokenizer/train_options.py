"""Training options of `spike tokenizer train`: a trainer and its settings."""

import click

# Options of algorithm length-max alone; its settings have the same names.
LENGTH_MAX_ALONE = (
    *("effort", "objective", "boundary", "pattern", "two_stage", "digits", "min_frequency"),
    "max_token_bytes",
)


def check_options(context: click.Context, algorithm: str) -> None:
    """Check that the algorithm knows all given options.

    Raises:
        UsageError: one is of another algorithm.
    """
    foreign = ("alphabet",) if algorithm == "length-max" else (*LENGTH_MAX_ALONE, "specials")
    for name in foreign:
        source = context.get_parameter_source(name)
        if source not in (None, click.core.ParameterSource.DEFAULT):
            raise click.UsageError(
                f"{option_of(name)} is no option of algorithm {algorithm}; leave it out"
            )


def option_of(setting: str) -> str:
    """Return the option of a setting.

    >>> option_of("vocab_size"), option_of("two_stage")
    ('--vocab', '--two-stage')
    """
    return {"vocab_size": "--vocab", "layout": "--special-tokens"}.get(setting) or (
        "--" + setting.replace("_", "-")
    )
