"""Continuations of prompts, as `spike generate` writes them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spike_lm.model.artifact.open import open_run
from spike_lm.model.device import choose_device
from spike_lm.model.inference.generate import SampledToken
from spike_lm.model.inference.sampling import SamplingParams
from spike_lm.model.inference.text import continue_prompt, text_after, up_to_any
from spike_lm.model.runs.folder import Run
from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import MAX_JSON_BYTES, read_given

# Seeds are below this.
SEEDS = 2**63


@dataclass(slots=True, kw_only=True)
class Continuation:
    """Continuation of a prompt, sampled while its pieces are read."""

    prompt: str
    seed: int
    pieces: Iterator[str]
    """The text, piece by piece; can be read once."""
    prompt_ids: list[int] = field(default_factory=list)
    """Ids of the prompt that are not sampled again; known once the first piece is read."""
    sampled: list[SampledToken] = field(default_factory=list)
    """Tokens of the pieces that have been read."""


def continuations(
    run: Path,
    prompts: Sequence[str],
    *,
    tokens: int = 200,
    samples: int = 1,
    stops: Sequence[str] = (),
    heal: bool = True,
    allow_unseen: bool = False,
    device: str = "auto",
    **sampling: Any,
) -> Iterator[Continuation]:
    """Yield continuations of prompts with a model; each must be read before the next.

    Args:
        run: a run folder or an artifact.
        prompts: the texts to continue.
        tokens: largest number of sampled tokens of each.
        samples: how many for each prompt; each further one has the next seed.
        stops: texts to end before.
        heal: sample the last tokens of a prompt again, such that they spell it.
        allow_unseen: also sample ids that were never targets in training.
        device: auto, cpu or cuda.
        sampling: arguments of `SamplingParams`.

    Raises:
        SpikeError: the model cannot be opened, or a prompt is too long.
    """
    chosen = SamplingParams(**sampling)
    loaded = open_run(run, choose_device(device))
    if allow_unseen:
        loaded = replace(loaded, trained_ids=None)
    for number, prompt in enumerate(text for text in prompts for _ in range(samples)):
        seeded = replace(chosen, seed=(chosen.seed + number) % SEEDS)
        found = Continuation(prompt=prompt, seed=seeded.seed, pieces=iter(()))
        found.pieces = pieces_of(found, loaded, tokens, stops, heal, seeded)
        yield found


def pieces_of(
    found: Continuation,
    loaded: Run,
    tokens: int,
    stops: Sequence[str],
    heal: bool,
    sampling: SamplingParams,
) -> Iterator[str]:
    """Yield the pieces of a continuation, and note ids in it.

    Args:
        found: where ids are noted.
        loaded: the model.
        tokens: largest number of sampled tokens.
        stops: texts to end before.
        heal: sample the last tokens of the prompt again.
        sampling: how to sample.
    """
    text = found.prompt.encode("utf-8", "surrogateescape")
    ids, rest, following = continue_prompt(
        *(loaded.model, loaded.tokenizer, text, tokens, sampling, heal), loaded.trained_ids
    )
    found.prompt_ids = ids
    kept = noted(following, found.sampled)
    yield from up_to_any(text_after(loaded.tokenizer, ids, rest, kept), stops)


def noted(tokens: Iterable[SampledToken], notes: list[SampledToken]) -> Iterator[SampledToken]:
    """Yield tokens, each after it has been noted."""
    for token in tokens:
        notes.append(token)
        yield token


def result_of(found: Continuation) -> dict[str, Any]:
    """Return the object of `spike generate --json`; reads the pieces."""
    text = "".join(found.pieces)
    return {
        "prompt": found.prompt,
        "text": text,
        "prompt_ids": found.prompt_ids,
        "ids": [token.id for token in found.sampled],
        "log_probabilities": [token.log_probability for token in found.sampled],
        "seed": found.seed,
    }


def read_prompts(path: Path) -> Iterator[str]:
    """Yield the prompts of a file, one a line.

    Raises:
        SpikeError: the file cannot be read, or a line of JSON has no prompt.
    """
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
                raise SpikeError(f'{place}: has no text "prompt"; write {{"prompt": "…"}}')
            prompt.encode()  # a lone surrogate is no text
        yield prompt
