"""`spike generate`: continue prompts with a trained model."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import MAX_JSON_BYTES, read_given

from ..console import PATH, common_options, device_option, json_option, use_passive_omp_wait
from ..visible import json_text, print_text

if TYPE_CHECKING:
    from spike_lm.model.inference.generate import SampledToken
    from spike_lm.model.inference.sampling import SamplingParams
    from spike_lm.model.runs.folder import Run


# Seeds are below this.
SEEDS = 2**63


def check_not_nan(_: click.Context, __: click.Parameter, number: float) -> float:
    """Check for nan, which every range accepts."""
    if number != number:
        raise click.BadParameter("is not a number")
    return number


def check_temperature(context: click.Context, parameter: click.Parameter, number: float) -> float:
    """Check for temperatures at which logits overflow."""
    if 0 < number < 0.001:
        raise click.BadParameter(f"{number} is too cold; 0, or 0.001 to 1000")
    return check_not_nan(context, parameter, number)


def drawing_options(command: Any) -> Any:
    """Add the options of sampling."""
    for option in (
        click.option(
            "--allow-unseen",
            is_flag=True,
            help="Also sample tokens that training never had as targets.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, SEEDS - 1),
            default=0,
            show_default=True,
            help="Another seed, another text.",
        ),
        click.option(
            "--repetition-penalty",
            type=click.FloatRange(0.01, 100),
            default=1.0,
            show_default=True,
            callback=check_not_nan,
            help="Above 1: tokens that the text has are less likely.",
        ),
        click.option(
            "--top-k",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Draw from so many likeliest tokens. 0: from all.",
        ),
        click.option(
            "--top-p",
            type=click.FloatRange(0, 1, min_open=True),
            default=0.95,
            show_default=True,
            callback=check_not_nan,
            help="Draw from the likeliest tokens that hold this much probability.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(0, 1000),
            default=0.8,
            show_default=True,
            callback=check_temperature,
            help="0: always the likeliest token.",
        ),
    ):
        command = option(command)
    return command


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
    from spike_lm.model.artifact.open import open_run
    from spike_lm.model.device import choose_device
    from spike_lm.model.inference.sampling import SamplingParams

    chosen = SamplingParams(**sampling)
    given = [prompt] if prompts is None else list(read_prompts(prompts))
    loaded = open_run(run, choose_device(device))
    if allow_unseen:
        loaded = replace(loaded, trained_ids=None)
    for number, text in enumerate(text for text in given for _ in range(samples)):
        if not as_json:
            print_text(("\n" if number else "") + text, end="")
        sampled: list[SampledToken] = []
        seeded = replace(chosen, seed=(chosen.seed + number) % SEEDS)
        pieces, ids = written(loaded, text, tokens, stops, not no_heal, seeded, sampled)
        whole = ""
        for piece in pieces:
            whole += piece
            if not as_json:
                print_text(piece, end="")
        if as_json:
            # One line each where there may be several.
            indent = None if prompts or samples > 1 else 2
            result = {**result_of(text, whole, ids, sampled), "seed": seeded.seed}
            click.echo(json_text(result, indent))
        else:
            click.echo()


def written(
    loaded: "Run",
    prompt: str,
    tokens: int,
    stops: tuple[str, ...],
    heal: bool,
    sampling: "SamplingParams",
    sampled: list["SampledToken"],
) -> tuple[Iterator[str], list[int]]:
    """Return the continuation, adding its tokens to `sampled`, and the prompt's own ids."""
    from spike_lm.model.inference.text import continue_prompt, text_after, up_to_any

    text = prompt.encode("utf-8", "surrogateescape")
    ids, rest, following = continue_prompt(
        *(loaded.model, loaded.tokenizer, text, tokens, sampling, heal), loaded.trained_ids
    )
    kept = noted(following, sampled)
    return up_to_any(text_after(loaded.tokenizer, ids, rest, kept), stops), ids


def noted(
    tokens: Iterable["SampledToken"], notes: list["SampledToken"]
) -> Iterator["SampledToken"]:
    """Yield tokens, each after it has been noted."""
    for token in tokens:
        notes.append(token)
        yield token


def result_of(prompt: str, text: str, prompt_ids: list[int], sampled: list["SampledToken"]) -> Any:
    """Return the `--json` result of one prompt."""
    return {
        "prompt": prompt,
        "text": text,
        "prompt_ids": prompt_ids,
        "ids": [token.id for token in sampled],
        "log_probabilities": [token.log_probability for token in sampled],
    }


def read_prompts(path: Path) -> Iterator[str]:
    """Yield the prompts of a file, one a line."""
    lines = read_given(path, MAX_JSON_BYTES).split(b"\n")
    for number, line in enumerate(lines[: len(lines) - (not lines[-1])], 1):
        if path.suffix != ".jsonl":
            yield line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
            continue
        place = f"{path}: line {number}"
        with parse_failures(place, "correct the line"):
            record = json.loads(line)
            prompt = record.get("prompt") if isinstance(record, dict) else None
            if not isinstance(prompt, str):
                raise SpikeError(f'{place}: needed is {{"prompt": "…"}}')
            prompt.encode()  # a lone surrogate is no text
        yield prompt
