"""Token coder: entropy coding of tokens with a predictor, and decoding."""

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from ..scoring.context_mixing.predictor import Predictor
from ..scoring.sliding_windows import WindowConfig
from ..scoring.ttt.learner import TTTLearner
from .arithmetic_coder import Decoder, Encoder, cumulative_frequencies
from .next_token_logits import predict_tokens

# Number of places in `prediction_checksum`, and the prime step between their ids.
CHECKED_PLACES, ID_STEP = 24, 7919
Every: TypeAlias = dict[str, NDArray[np.float64]]


class CodeError(SpikeError):
    """Error: these predictions cannot have produced the coded data."""


def encode_tokens(
    predictor: Predictor,
    model: LanguageModel,
    ids: NDArray[np.integer],
    windows: WindowConfig,
    *,
    stages: tuple[str, ...],
    eos_id: int,
    learner: TTTLearner | None = None,
    report: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, bytes]:
    """Return the bytes of ids coded with each of some stages of a predictor.

    Args:
        predictor: in the context of a separator; reads the ids and a separator after them.
        model: the network.
        ids: [n], without any separator.
        windows: their context and stride.
        stages: names of those that code; the network is evaluated once for all.
        eos_id: the id before and after the ids.
        learner: trains the model on coded text, as on scored text.
        report: called after each token with tokens and the bytes of the last stage so far.
    """
    encoders = {stage: Encoder() for stage in stages}
    places = _places(predictor, model, len(ids), windows, eos_id, learner)
    every = next(places)
    for done, token in enumerate(ids.tolist(), 1):
        for stage, encoder in encoders.items():
            shares = cumulative_frequencies(every[stage])
            encoder.encode(int(shares[token]), int(shares[token + 1]))
        every = places.send(token)
        report(done, encoders[stages[-1]].size)
    places.send(eos_id)
    return {stage: encoder.finish() for stage, encoder in encoders.items()}


def decode_tokens(
    predictor: Predictor,
    model: LanguageModel,
    coded: dict[str, bytes],
    tokens: int,
    windows: WindowConfig,
    *,
    eos_id: int,
    learner: TTTLearner | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> list[int]:
    """Return the ids that `encode_tokens` was given, decoded from each stage alike.

    Args:
        predictor: in the context of a separator; reads the ids and a separator after them.
        model: the network.
        coded: by stage, the bytes of `encode_tokens`.
        tokens: number of ids.
        windows: their context and stride.
        eos_id: the id before and after the ids.
        learner: trains the model on decoded text, as on scored text.
        report: called after each token with the tokens so far.

    Raises:
        CodeError: the data is damaged or of other predictions, or stages disagree.
    """
    decoders = {stage: Decoder(data) for stage, data in coded.items()}
    encoders = {stage: Encoder() for stage in coded}
    ids: list[int] = []
    places = _places(predictor, model, tokens, windows, eos_id, learner)
    every = next(places)
    for done in range(1, tokens + 1):
        shares = {stage: cumulative_frequencies(every[stage]) for stage in decoders}
        tokens_by_stage = {decoder.decode(shares[stage]) for stage, decoder in decoders.items()}
        if len(tokens_by_stage) != 1:
            raise CodeError("damaged, or of another predictor; take it from its source again")
        ids.append(*tokens_by_stage)
        for stage, encoder in encoders.items():
            encoder.encode(int(shares[stage][ids[-1]]), int(shares[stage][ids[-1] + 1]))
        every = places.send(ids[-1])
        report(done)
    places.send(eos_id)
    # Bytes appended, or changed where no choice depends on them, are damage, too.
    if any(encoder.finish() != coded[stage] for stage, encoder in encoders.items()):
        raise CodeError("the compressed data is damaged; take it from its source again")
    return ids


def prediction_checksum(
    predictor: Predictor, model: LanguageModel, windows: WindowConfig, *, eos_id: int
) -> str:
    """Return the xxh3-64 of the distributions of a predictor along fixed ids, in hex.

    Machines whose sums differ in a last bit, as with other BLAS kernels, have other checksums.

    Args:
        predictor: in the context of a separator; reads the ids and a separator after them.
        model: the network.
        windows: their context and stride.
        eos_id: the id before and after the ids.
    """
    digest, last = xxhash.xxh3_64(), predictor.settings.stages[-1]
    places = _places(predictor, model, CHECKED_PLACES, windows, eos_id, None)
    every = next(places)
    for place in range(CHECKED_PLACES):
        digest.update(np.ascontiguousarray(every[last], np.float64).data)
        every = places.send(place * ID_STEP % predictor.vocab_size)
    return digest.hexdigest()


def _places(
    predictor: Predictor,
    model: LanguageModel,
    tokens: int,
    windows: WindowConfig,
    eos_id: int,
    learner: TTTLearner | None,
) -> Generator[Every, int, None]:
    """Yield the distributions [V] by stage at each place; the caller sends the token at that place.

    After the tokens comes the place of the separator, which ends the generator.
    """
    steps = predict_tokens(model, tokens + 1, windows, eos_id=eos_id, learner=learner)
    logits = next(steps) if predictor.settings.network else None
    for _ in range(tokens + 1):
        token = yield predictor.distributions(logits)
        predictor.score(np.array([token]), None if logits is None else logits[None])
        if logits is not None:
            with suppress(StopIteration):  # after the separator
                logits = steps.send(token)
    yield {}
