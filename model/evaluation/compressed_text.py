"""Compresses text with a model's predictions, and gives it back to the byte.

What a file takes is what `score_documents` says, which makes a score a thing that anyone can check.
docs/formats.md, section 8, is the format.
"""

import hashlib
import platform
from collections.abc import Callable, Generator
from importlib.metadata import version

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from spiketok.errors import SpikeError

from ..run_folder import Run
from .arithmetic_coder import Decoder, Encoder, shares_of
from .next_tokens import predict_tokens
from .sliding_windows import check_windows

MAGIC, FORMAT = b"SPKZ", 1
LENGTH_BYTES = 4
LONGEST_HEADER = 1 << 16


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands before the coded tokens."""

    format: int
    model: str
    """Fingerprint of the weights and the configuration."""
    tokenizer: str
    """Its fingerprint."""
    machine: dict[str, str | int]
    """What the last bits of predictions depend on beside the model."""
    context: int
    stride: int
    tokens: int
    """Ids coded; no separator is."""
    bytes: int
    """Of the original."""
    sha256: str
    """Of the original."""


def compress(
    run: Run,
    text: bytes,
    *,
    context: int,
    stride: int,
    report: Callable[[int, int, int], None] = lambda *_: None,
) -> bytes:
    """Return the compressed file.

    Args:
        run: the model, of which the file can only be read again.
        text: any bytes.
        context: tokens per window, at most the model's.
        stride: tokens by which windows move on once they are full.
        report: called after each token with tokens, bytes of the text and bytes coded so far.

    Raises:
        SpikeError: the tokenizer loses text, or context and stride do not fit.
    """
    tokenizer = run.tokenizer
    if tokenizer.score_name != "bits_per_byte":
        raise SpikeError("the tokenizer of this model loses text; train with a lossless one")
    ids = tokenizer.encode(text)
    header = Header(
        format=FORMAT,
        model=model_fingerprint(run),
        tokenizer=tokenizer.fingerprint,
        machine=this_machine(),
        context=context,
        stride=stride,
        tokens=len(ids),
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
    )
    encoder = Encoder()
    check_windows(run.model, context, stride)
    predictions = _predictions(run, header)
    found, passed = next(predictions), tokenizer.byte_offsets(ids).tolist()
    for done, token in enumerate(ids.tolist(), 1):
        borders = shares_of(found)
        encoder.encode(int(borders[token]), int(borders[token + 1]))
        found = predictions.send(token)
        report(done, passed[done], encoder.size)
    described = msgspec.json.encode(header)
    length = len(described).to_bytes(LENGTH_BYTES, "little")
    return MAGIC + length + described + encoder.finish()


def decompress(
    run: Run, data: bytes, *, report: Callable[[int, int], None] = lambda *_: None
) -> bytes:
    """Return the original bytes of what `compress` made with the same model on such a machine.

    `report` is called after each token with the tokens so far and all of them.

    Raises:
        SpikeError: the data is damaged, or of another model, machine or version.
    """
    header, coded = read_header(data)
    ours = {
        "model": model_fingerprint(run),
        "tokenizer": run.tokenizer.fingerprint,
        **this_machine(),
    }
    theirs = {"model": header.model, "tokenizer": header.tokenizer, **header.machine}
    for what in sorted(ours.keys() | theirs.keys()):
        if ours.get(what) != theirs.get(what):
            raise SpikeError(
                f"compressed with {what} {theirs.get(what)}, here it is {ours.get(what)}; only the "
                "same one gives the same predictions"
            )
    decoder = Decoder(coded)
    predictions = _predictions(run, header)
    found, ids = next(predictions), []
    for done in range(1, header.tokens + 1):
        ids.append(decoder.decode(shares_of(found)))
        found = predictions.send(ids[-1])
        report(done, header.tokens)
    text: bytes = run.tokenizer.decode_bytes(ids)
    if len(text) != header.bytes or hashlib.sha256(text).hexdigest() != header.sha256:
        raise SpikeError("the text that came out is not the one that went in; the data is damaged")
    return text


def read_header(data: bytes) -> tuple[Header, bytes]:
    """Return header and coded tokens of a compressed file."""
    begin = len(MAGIC) + LENGTH_BYTES
    length = int.from_bytes(data[len(MAGIC) : begin], "little")
    if data[: len(MAGIC)] != MAGIC or not 0 < length <= min(LONGEST_HEADER, len(data) - begin):
        raise SpikeError("not a file that spike compress made, or cut short")
    try:
        header = msgspec.json.decode(data[begin : begin + length], type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SpikeError(f"its header is damaged ({error})") from None
    if header.format != FORMAT:
        raise SpikeError(f"format {header.format} is not known; use a newer spike")
    coded = data[begin + length :]
    # A token is a byte at least, so a wrong number cannot make work without end.
    if not 0 <= header.tokens <= header.bytes:
        raise SpikeError("its header is damaged (tokens and bytes do not agree)")
    return header, coded


def model_fingerprint(run: Run) -> str:
    """Return the sha256 of everything of the model that predictions depend on."""
    digest = hashlib.sha256(msgspec.json.encode(run.config.model))
    for section in (run.config.golf, run.config.spikewhale):
        digest.update(msgspec.json.encode(section))
    for name, weight in sorted(run.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def this_machine() -> dict[str, str | int]:
    """Return what else the last bits of predictions depend on."""
    return {
        "spike": version("spike-lm"),
        "torch": str(torch.__version__),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
    }


def _predictions(run: Run, header: Header) -> Generator[NDArray[np.float64], int, None]:
    return predict_tokens(
        run.model,
        header.tokens + 1,  # windows are laid as where the separator behind the text is scored
        separator=run.tokenizer.separator,
        context=header.context,
        stride=header.stride,
    )
