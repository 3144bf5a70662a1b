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
    help='Go on from each line of a file instead; of *.jsonl, from "prompt".',
)
@click.option(
    "--max-tokens",
    "tokens",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="At most.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Texts for each prompt; each further one has the next seed.",
)
@click.option("--stop", "stops", multiple=True, help="Text to end before; may be given again.")
@click.option(
    "--no-token-healing",
    "no_heal",
    is_flag=True,
    help="Keep the last tokens of the prompt as they are.",
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
    """Continue PROMPT with the model of RUN, printing as it writes.

    Longest match cuts a prompt's end as if the text ended there. Tokens that would be others if
    it went on are sampled again, such that they spell the prompt (token healing), and count among
    --max-tokens; of BESE none are. Tokens that were never targets in training are not sampled:
    their probabilities are noise. The first text has the seed --seed, each further one the next.

    \b
    Examples:
      spike generate runs/base "It was a dark night"
      spike generate runs/base "def main(" --temperature 0.5 --seed 7 --stop "def "
      spike generate runs/base "Once upon" --samples 3
      spike generate runs/base --prompts prompts.txt --top-k 40 --json
    """
    if "" in stops:
        raise click.UsageError("--stop: an empty text ends nothing")
    if prompts is not None and prompt:
        raise click.UsageError("say either PROMPT or --prompts FILE")
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
