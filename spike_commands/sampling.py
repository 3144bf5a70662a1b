"""Joins a tokenizer and a model to write text: prompt in, ids out."""

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.assembly import Model
    from spiketok import Tokenizer


def continue_prompt(
    model: "Model",
    tokenizer: "Tokenizer",
    prompt: bytes,
    tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
) -> Iterator[int]:
    """Yield ids that continue `prompt`, at most `tokens`, up to the end of the document.

    The prompt begins a document, so the model sees the separator first. Ids that no text
    becomes (special and reserved ones) are never drawn; the separator ends the text.
    """
    from model.evaluation.generate import generate

    separator = tokenizer.separator
    ids = [separator, *tokenizer.encode(prompt).tolist()]
    unused = {*tokenizer.special_ids.values(), *tokenizer.vocabulary.reserved_ids}
    drawn = generate(
        model,
        ids,
        max_tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop_ids=[separator],
        banned_ids=sorted(unused - {separator}),
    )
    return takewhile(lambda token: token != separator, drawn)
