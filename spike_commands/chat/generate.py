"""`spike generate`: continue prompts with a trained model."""

from pathlib import Path
from typing import Any

import click

from ..console import PATH, common_options, device_option, json_option, use_passive_omp_wait
from ..visible import json_text, print_text
from .sampling_options import drawing_options


@click.command()
@click.argument("run", type=PATH)
@click.argument("prompt", default="")
@click.option(
    "--prompts",
    type=PATH,
    help='File of prompts, one per line; in .jsonl files the value of "prompt".',
)
@click.option(
    "--max-tokens",
    "tokens",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Largest number of sampled tokens.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Texts per prompt; each further one has the next seed.",
)
@click.option("--stop", "stops", multiple=True, help="Stop before this text; may be repeated.")
@click.option(
    "--no-token-healing",
    "no_heal",
    is_flag=True,
    help="Do not re-tokenise the end of the prompt.",
)
@drawing_options
@device_option
@json_option
@common_options
def generate(
    run: Path,
    prompt: str,
    prompts: Path | None,
    tokens: int,
    samples: int,
    stops: tuple[str, ...],
    no_heal: bool,
    allow_unseen: bool,
    device: str,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
    **sampling: Any,
) -> None:
    """Continue PROMPT with the model of RUN, a run folder or an artifact.

    Token healing: the last tokens of a prompt may be others when the text continues, so they are
    sampled again such that they spell the prompt, and count among --max-tokens (not with BESE).
    Tokens that were never targets in training are not sampled, for their probabilities are noise.
    The first text has the seed --seed, each further one the next.

    \b
    Examples:
      spike generate runs/base "It was a dark night"
      spike generate runs/base "def main(" --temperature 0.5 --seed 7 --stop "def "
      spike generate runs/base "Once upon" --samples 3
      spike generate runs/base --prompts prompts.txt --top-k 40 --json
    """
    if "" in stops:
        raise click.UsageError("--stop: the text is empty; name one, or leave --stop out")
    if prompts is not None and prompt:
        raise click.UsageError("PROMPT and --prompts are both given; leave out one of them")
    use_passive_omp_wait()
    from .generation import continuations, read_prompts, result_of

    given = [prompt] if prompts is None else list(read_prompts(prompts))
    found = continuations(
        run,
        given,
        tokens=tokens,
        samples=samples,
        stops=stops,
        heal=not no_heal,
        allow_unseen=allow_unseen,
        device=device,
        **sampling,
    )
    for number, text in enumerate(found):
        if as_json:
            # One line each where there may be several.
            indent = None if prompts or samples > 1 else 2
            click.echo(json_text(result_of(text), indent))
            continue
        print_text(("\n" if number else "") + text.prompt, end="")
        for piece in text.pieces:
            print_text(piece, end="")
        click.echo()
