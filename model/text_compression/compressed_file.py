"""Lossless compression of text with a model's predictions.

The size of a file equals its score, of the model alone or of a predictor on top of it. So anyone
can check a score. docs/formats.md, section 8, is the format.
"""

import hashlib
import platform
from collections.abc import Callable
from importlib.metadata import version

import msgspec
import torch

from spiketok.errors import SpikeError

from ..config.mixing import PredictorSettings
from ..families.sections import FAMILY_SECTIONS
from ..runs.folder import Run
from ..scoring.predictor_spec import PredictorSpec
from ..scoring.sliding_windows import WindowConfig, check_windows
from .arithmetic_coder import most_choices
from .compressed_header import FORMAT, LENGTH_BYTES, MAGIC, Header, checksum, read_header
from .token_coder import CodeError, decode_tokens, encode_tokens, prediction_checksum


def compress(
    run: Run,
    text: bytes,
    windows: WindowConfig,
    spec: PredictorSpec | None = None,
    *,
    report: Callable[[int, int, int], None] = lambda *_: None,
) -> bytes:
    """Return the compressed file.

    Args:
        run: the model; only with it can the file be decompressed.
        text: any bytes.
        windows: their context and stride.
        spec: the predictor; without one it is the model alone.
        report: called after each token with tokens, bytes of the text and bytes coded so far.

    Raises:
        SpikeError: the tokenizer loses text, or context and stride do not fit.
    """
    tokenizer, spec = run.tokenizer, spec or PredictorSpec()
    check_lossless(run)
    check_windows(run.model, windows)
    ids = tokenizer.encode(text)
    header = Header(
        format=FORMAT,
        model=model_fingerprint(run),
        tokenizer=tokenizer.fingerprint,
        machine=this_machine(),
        predictions=checksum_here(run, spec.settings, windows),
        predictor=spec.settings,
        counts=spec.counts_from,
        ttt=spec.ttt,
        context=windows.context,
        stride=windows.stride,
        tokens=len(ids),
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
    )
    passed, whole = tokenizer.byte_offsets(ids).tolist(), spec.settings.stages[-1]
    with spec.ttt_learner(run, len(ids) + 1, windows.context) as learner:
        coded = encode_tokens(
            spec.build(tokenizer.vocab_size, tokenizer.eos_id),
            run.model,
            ids,
            windows,
            stages=(whole,),
            eos_id=tokenizer.eos_id,
            learner=learner,
            report=lambda done, size: report(done, passed[done], size),
        )
    described = msgspec.json.encode(header)
    length = len(described).to_bytes(LENGTH_BYTES, "little")
    return MAGIC + length + described + checksum(described, coded[whole]) + coded[whole]


def decompress(
    run: Run,
    data: bytes,
    spec: PredictorSpec | None = None,
    *,
    report: Callable[[int, int], None] = lambda *_: None,
) -> bytes:
    """Return the original bytes of a file of `compress` with this model and kind of machine.

    Args:
        run: the model.
        data: the compressed file.
        spec: the predictor in the header; None: its settings, without initial counts.
        report: called after each token with the tokens so far and all of them.

    Raises:
        SpikeError: the data is damaged, or of another model, machine or version, or the model
            predicts otherwise here.
    """
    header, coded = read_header(data)
    tokenizer = run.tokenizer
    spec = spec or PredictorSpec(settings=header.predictor, ttt=header.ttt)
    check_header(run, header)
    check_claims(run, header, len(coded))
    for name, theirs, here in (
        ("predictor", header.predictor, spec.settings),
        ("counts", header.counts, spec.counts_from),
        ("test-time training", header.ttt, spec.ttt),
    ):
        check_equal(name, theirs, here)
    windows = WindowConfig(context=header.context, stride=header.stride)
    check_windows(run.model, windows)
    if checksum_here(run, header.predictor, windows) != header.predictions:
        raise other_predictions()
    try:
        with spec.ttt_learner(run, header.tokens + 1, header.context) as learner:
            ids = decode_tokens(
                spec.build(tokenizer.vocab_size, tokenizer.eos_id),
                run.model,
                {spec.settings.stages[-1]: coded},
                header.tokens,
                windows,
                eos_id=tokenizer.eos_id,
                learner=learner,
                report=lambda done: report(done, header.tokens),
            )
    except CodeError:
        raise other_predictions() from None
    text: bytes = run.tokenizer.decode_bytes(ids)
    if len(text) != header.bytes or hashlib.sha256(text).hexdigest() != header.sha256:
        raise other_predictions()  # the checksum of the data was right
    return text


def other_predictions() -> SpikeError:
    """Return the error for an undamaged file that this machine's predictions do not decode."""
    return SpikeError(
        "the file is whole, but predictions differ here in the last bits (another BLAS library or "
        "kernel, as on another CPU); decompress it on a machine like the one that compressed it"
    )


def checksum_here(run: Run, settings: PredictorSettings, windows: WindowConfig) -> str:
    """Return the checksum of some predictions here; no counts and no learning take part."""
    tokenizer = run.tokenizer
    return prediction_checksum(
        PredictorSpec(settings=settings).build(tokenizer.vocab_size, tokenizer.eos_id),
        run.model,
        windows,
        eos_id=tokenizer.eos_id,
    )


def check_header(run: Run, header: Header) -> None:
    """Check that a file is of this model, machine and version.

    Raises:
        SpikeError: it is not.
    """
    ours = {
        "model": model_fingerprint(run),
        "tokenizer": run.tokenizer.fingerprint,
        **this_machine(),
    }
    theirs = {"model": header.model, "tokenizer": header.tokenizer, **header.machine}
    for name in sorted(ours.keys() | theirs.keys()):
        check_equal(name, theirs.get(name), ours.get(name))


def check_claims(run: Run, header: Header, coded_bytes: int) -> None:
    """Check that the coded tokens can hold the header's numbers of tokens and bytes.

    Raises:
        SpikeError: they cannot.
    """
    most = most_choices(coded_bytes, run.tokenizer.vocab_size)
    longest = int(run.tokenizer.byte_lengths.max())
    for name, claimed, possible in (
        ("tokens", header.tokens, most),
        ("bytes", header.bytes, header.tokens * longest),
    ):
        if claimed > possible:
            raise SpikeError(
                f"its header claims {claimed:,} {name}, and it can hold at most {possible:,}; take "
                "it from its source again"
            )


def check_equal(name: str, theirs: object, ours: object) -> None:
    """Check that a property here is that in the file.

    Raises:
        SpikeError: it is not.
    """
    if theirs != ours:
        raise SpikeError(
            f"compressed with {name} {theirs or 'none'}, here it is {ours or 'none'}; use the same "
            "one"
        )


def check_lossless(run: Run) -> None:
    """Check that the tokenizer decodes to the bytes that it encoded.

    Raises:
        SpikeError: it does not.
    """
    if run.tokenizer.score_name != "bits_per_byte":
        raise SpikeError("the tokenizer of this model loses text; train with a lossless one")


def model_fingerprint(run: Run) -> str:
    """Return the sha256 of the model's weights and configuration, on which predictions depend."""
    digest = hashlib.sha256(msgspec.json.encode(run.config.model))
    for name in FAMILY_SECTIONS:
        digest.update(msgspec.json.encode(getattr(run.config, name)))
    for name, weight in sorted(run.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def this_machine() -> dict[str, str | int]:
    """Return the machine and libraries on which the last bits of predictions depend."""
    return {
        "spike": version("spike-lm"),
        "torch": str(torch.__version__),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
    }
